//! A tower layer that lets a request through with what its token says, or answers it.

use crate::{Policy, Presented, Rejected, Verified, Verifier};
use ::http::header::{AUTHORIZATION, CACHE_CONTROL, WWW_AUTHENTICATE};
use ::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use std::fmt;
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
#[derive(Clone)]
pub struct Admit {
    verifier: Verifier,
    policy: Arc<Policy>,
}

impl Admit {
    /// A layer that asks every request for what the policy asks.
    pub fn new(verifier: Verifier, policy: Policy) -> Self {
        Self { verifier, policy: Arc::new(policy) }
    }

    /// What stands behind the layer is asked for by this policy.
    pub(crate) const fn parts(&self) -> (&Verifier, &Arc<Policy>) {
        (&self.verifier, &self.policy)
    }

    async fn admit(&self, asked: Asked<'_>) -> Result<Admitted, Rejected> {
        let verified = self.verifier.admit(&asked.presented()?, &self.policy).await?;
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
}

impl<'r> Asked<'r> {
    /// What it shows: the token of its one `Authorization` header, and from nowhere else. Of its URL the path alone counts,
    /// since the caller writes the rest.
    fn presented(self) -> Result<Presented<'r>, Rejected> {
        let authorization = self.only(&AUTHORIZATION).ok_or(Rejected::Missing)?;
        let presented = Presented::from_authorization(Some(authorization))?;
        Ok(presented.request(self.method.as_str(), self.path).proof(self.only(&DPOP)))
    }

    fn only(self, name: &HeaderName) -> Option<&'r str> {
        let mut values = self.headers.get_all(name).iter();
        let (Some(only), None) = (values.next(), values.next()) else { return None };
        only.to_str().ok()
    }
}

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
            let (method, headers) = (request.method(), request.headers());
            let asked = Asked { method, path: request.uri().path(), headers };
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
