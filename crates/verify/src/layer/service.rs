//! A tower layer that lets a request through with what its token says, or answers it.

use crate::{Policy, Presented, Rejected, Verified, Verifier};
use ::http::header::{AUTHORIZATION, CACHE_CONTROL, WWW_AUTHENTICATE};
use ::http::{
    Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode,
};
use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Lets through what a policy lets in, and answers everything else: a [`tower_layer::Layer`] for any
/// service of `http` requests.
///
/// The service behind it finds an [`Admitted`] in the request's extensions. A request that is not let in
/// never reaches it: the answer has the status and the challenge of the [`Rejected`], an empty body, and
/// may not be stored.
///
/// Security: a layer guards what it wraps and nothing else. Routes that are added beside it are open, so
/// wrap the whole router and name the public routes outside. The token is taken from the one
/// `Authorization` header; a request with two is refused, since whatever stands behind may read the other.
///
/// The proof of a bound token (DPoP) is that of the one `DPoP` header, and the URL that it must be for is the path as the
/// layer sees it below [`Builder::public_url`](crate::Builder::public_url): put the layer outside of what takes a part of
/// the path away, or name that part there.
///
/// The features of the client are those of the one header `X-Symbolon-Features`; where it asks from says
/// [`Admit::ip_from`].
#[derive(Clone)]
pub struct Admit {
    verifier: Verifier,
    policy: Arc<Policy>,
    ip_from: Option<Arc<IpFrom>>,
}

/// Says where a request comes from.
type IpFrom = dyn Fn(&Extensions, &HeaderMap) -> Option<IpAddr> + Send + Sync;

impl Admit {
    /// A layer that asks every request for what the policy asks.
    pub fn new(verifier: Verifier, policy: Policy) -> Self {
        Self { verifier, policy: Arc::new(policy), ip_from: None }
    }

    /// Says where requests come from, for tokens that are bound to a network; without it none of those is let in. Behind
    /// axum's `into_make_service_with_connect_info`:
    ///
    /// ```
    /// # use axum::extract::ConnectInfo;
    /// # use std::net::SocketAddr;
    /// # fn says(layer: symbolon_verify::layer::Admit) -> symbolon_verify::layer::Admit {
    /// layer.ip_from(|extensions, _| Some(extensions.get::<ConnectInfo<SocketAddr>>()?.0.ip()))
    /// # }
    /// ```
    ///
    /// Security: say the address of the connection or, where that is a proxy of yours, what it added to
    /// `X-Forwarded-For` last; the rest of that header was written by the caller.
    #[must_use]
    pub fn ip_from(
        mut self,
        says: impl Fn(&Extensions, &HeaderMap) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Self {
        self.ip_from = Some(Arc::new(says));
        self
    }

    /// What a request shows of its surroundings, beside what it shows already.
    pub(crate) fn surrounded<'r>(
        &self,
        presented: Presented<'r>,
        extensions: &Extensions,
        headers: &'r HeaderMap,
    ) -> Presented<'r> {
        let presented = presented.features(only(headers, &FEATURES));
        let ip = self.ip_from.as_ref().and_then(|says| says(extensions, headers));
        ip.map_or(presented, |ip| presented.ip(ip))
    }

    /// What stands behind the layer is asked for by this policy.
    pub(crate) const fn parts(&self) -> (&Verifier, &Arc<Policy>) {
        (&self.verifier, &self.policy)
    }

    async fn admit(&self, asked: Asked<'_>) -> Result<Admitted, Rejected> {
        let presented = self.surrounded(asked.presented()?, asked.extensions, asked.headers);
        let verified = self.verifier.admit(&presented, &self.policy).await?;
        Ok(Admitted::new(verified))
    }
}

impl fmt::Debug for Admit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admit").field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// A request without its body.
#[derive(Clone, Copy)]
struct Asked<'r> {
    method: &'r Method,
    path: &'r str,
    headers: &'r HeaderMap,
    extensions: &'r Extensions,
}

impl<'r> Asked<'r> {
    /// What it shows: the token of its one `Authorization` header, and from nowhere else. Of its URL the path alone counts,
    /// since the caller writes the rest.
    fn presented(self) -> Result<Presented<'r>, Rejected> {
        let authorization = only(self.headers, &AUTHORIZATION).ok_or(Rejected::Missing)?;
        let presented = Presented::from_authorization(Some(authorization))?;
        Ok(presented.request(self.method.as_str(), self.path).proof(only(self.headers, &DPOP)))
    }
}

/// The one value of a header; features may be any text.
fn only<'r>(headers: &'r HeaderMap, name: &HeaderName) -> Option<&'r str> {
    let mut values = headers.get_all(name).iter();
    let (Some(only), None) = (values.next(), values.next()) else { return None };
    std::str::from_utf8(only.as_bytes()).ok()
}

/// Where a client says its features.
pub(crate) const FEATURES: HeaderName = HeaderName::from_static("x-symbolon-features");

const DPOP: HeaderName = HeaderName::from_static("dpop");
const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// Who was let in, for the service behind the layer. Cloning is cheap.
///
/// With the feature `axum` it is an extractor.
#[derive(Clone, Debug)]
pub struct Admitted(Arc<Verified>);

impl Admitted {
    pub(crate) fn new(verified: Verified) -> Self {
        Self(Arc::new(verified))
    }
}

impl Deref for Admitted {
    type Target = Verified;

    fn deref(&self) -> &Verified {
        &self.0
    }
}

impl<S> tower_layer::Layer<S> for Admit {
    type Service = Admitting<S>;

    fn layer(&self, inner: S) -> Admitting<S> {
        Admitting { inner, admit: self.clone() }
    }
}

/// A service behind [`Admit`].
#[derive(Clone, Debug)]
pub struct Admitting<S> {
    inner: S,
    admit: Admit,
}

impl<S, In, Out> tower_service::Service<Request<In>> for Admitting<S>
where
    S: tower_service::Service<Request<In>, Response = Response<Out>> + Clone + Send + 'static,
    S::Future: Send,
    In: Send + 'static,
    Out: Default,
{
    type Response = Response<Out>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Out>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<In>) -> Self::Future {
        // The service that was found ready is the one to be called; its clone may not be.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let admit = self.admit.clone();
        Box::pin(async move {
            let asked = Asked {
                method: request.method(),
                path: request.uri().path(),
                headers: request.headers(),
                extensions: request.extensions(),
            };
            match admit.admit(asked).await {
                Ok(admitted) => {
                    request.extensions_mut().insert(admitted);
                    inner.call(request).await
                }
                Err(rejected) => Ok(answer(&rejected)),
            }
        })
    }
}

fn answer<Out: Default>(rejected: &Rejected) -> Response<Out> {
    tracing::debug!(%rejected, "a request was not let in");
    let mut response = Response::new(Out::default());
    *response.status_mut() =
        StatusCode::from_u16(rejected.status()).unwrap_or(StatusCode::UNAUTHORIZED);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(challenge) = HeaderValue::try_from(rejected.challenge()) {
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
    if let Some(Ok(nonce)) = rejected.dpop_nonce().map(HeaderValue::from_str) {
        headers.insert(DPOP_NONCE, nonce);
    }
    response
}
