//! What a program tells its caller when it ends.

use std::process::ExitCode;

/// Why the process ends, as the BSD `sysexits.h` numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exit {
    /// 0: done.
    Ok,
    /// 64: the command line is wrong.
    Usage,
    /// 65: the input is wrong.
    BadData,
    /// 69: something that is needed cannot be reached.
    Unavailable,
    /// 70: our own fault.
    Internal,
    /// 77: not allowed.
    Denied,
    /// 78: the configuration is wrong.
    Config,
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Usage => 64,
            Self::BadData => 65,
            Self::Unavailable => 69,
            Self::Internal => 70,
            Self::Denied => 77,
            Self::Config => 78,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
