//! How a command ends when it does not do what it was asked to.

use std::fmt;

/// Why a command did not do what it was asked to; each has an exit code of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// It was refused, or what it is about was not found: 1.
    Refused,
    /// It was asked for in a wrong way: 2.
    WrongUsage,
    /// It could not be done: 3.
    CouldNot,
}

impl Exit {
    /// The exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Refused => 1,
            Self::WrongUsage => 2,
            Self::CouldNot => 3,
        }
    }
}

/// What happened, why, and what to do next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// How the program ends.
    pub exit: Exit,
    what: String,
    why: Option<String>,
    next: Option<String>,
}

impl Failure {
    /// It was refused, or not found.
    pub fn refused(what: impl Into<String>) -> Self {
        Self::new(Exit::Refused, what)
    }

    /// It was asked for in a wrong way.
    pub fn wrong_usage(what: impl Into<String>) -> Self {
        Self::new(Exit::WrongUsage, what)
    }

    /// It could not be done.
    pub fn could_not(what: impl Into<String>) -> Self {
        Self::new(Exit::CouldNot, what)
    }

    /// Adds why.
    pub fn because(mut self, why: impl fmt::Display) -> Self {
        self.why = Some(why.to_string());
        self
    }

    /// Adds what to do next.
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, what: what.into(), why: None, next: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        for (label, text) in [("why: ", &self.why), ("next:", &self.next)] {
            if let Some(text) = text {
                write!(f, "\n  {label} {text}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}
