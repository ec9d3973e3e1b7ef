//! Query strings on `/v1`: known names, each once.

use super::body::{self, Form};
use super::problem::Problem;
use axum::http::Uri;
use symbolon_core::SessionId;
use symbolon_core::device::DeviceClass;
use symbolon_wire::parse_session_id;

/// The most items a list may have. Inclusive.
pub const LIMIT_MAX: usize = 200;

const LIMIT_DEFAULT: usize = 50;

/// The parameters of a query.
pub struct Query(Form);

impl Query {
    /// Reads the query of a call that knows these names.
    ///
    /// # Errors
    /// A name that the call does not know, a repeated one, one without a value, or invalid UTF-8.
    pub fn read(uri: &Uri, known: &[&str]) -> Result<Self, Problem> {
        let form = Form::parse(uri.query().unwrap_or_default().as_bytes())
            .map_err(|_| Problem::member("query", "is not valid: each parameter once, in UTF-8"))?;
        if let Some(name) = form.names().find(|name| !known.contains(name)) {
            return Err(match body::is_plain(name) {
                true => Problem::member(name, "is not a parameter of this call"),
                false => Problem::member("query", "has a parameter that this call does not know"),
            });
        }
        // `?except=` from a caller whose variable is empty must not end the session it meant to spare.
        if let Some(name) = form.names().find(|name| form.get(name).is_none()) {
            return Err(Problem::member(name, "has no value; give it one or leave it out"));
        }
        Ok(Self(form))
    }

    /// A parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)
    }

    /// A parameter read by `parse`, which answers `None` for what it does not know.
    ///
    /// # Errors
    /// The parameter is there and `parse` does not know its value.
    pub fn parse<T>(
        &self,
        name: &'static str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let wrong = || Problem::member(name, format!("must be {expected}"));
        parse(text).map(Some).ok_or_else(wrong)
    }

    /// A session's name.
    ///
    /// # Errors
    /// It is not one.
    pub fn sid(&self, name: &'static str) -> Result<Option<SessionId>, Problem> {
        self.parse(name, "a session_id: 22 characters of base64url", |text| {
            parse_session_id(text).ok()
        })
    }

    /// A device class.
    ///
    /// # Errors
    /// It is not one.
    pub fn device_class(&self) -> Result<Option<DeviceClass>, Problem> {
        let known = "one of web, app, mini_program, desktop, iot, service, other";
        self.parse("device_class", known, DeviceClass::parse)
    }

    /// How many items are wanted.
    ///
    /// # Errors
    /// Not a number from 1 to 200.
    pub fn limit(&self) -> Result<usize, Problem> {
        let read = |text: &str| text.parse().ok().filter(|n| (1..=LIMIT_MAX).contains(n));
        Ok(self.parse("limit", "a number from 1 to 200", read)?.unwrap_or(LIMIT_DEFAULT))
    }
}
