//! What is wrong with a line that is no command.

use crate::protocol::address::AddressError;
use crate::protocol::reply::{Reply, ReplyCode};

/// Why a line is no command. Each has its reply: [`CommandError::reply`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The verb is of no RFC that this module knows: 500.
    #[error("unknown command")]
    Unknown,
    /// The verb is of an RFC, and nothing here serves it: 502.
    #[error("command not implemented")]
    NotImplemented,
    /// The verb needs an argument: 501.
    #[error("this command needs an argument")]
    MissingArgument,
    /// The verb takes no argument: 501.
    #[error("this command takes no argument")]
    UnexpectedArgument,
    /// The argument does not have the form that the verb needs: 501.
    #[error("the argument of this command is malformed")]
    BadArgument,
    /// The argument is one of the RFC's that nothing here serves: 504.
    #[error("command not implemented for that parameter")]
    Unsupported,
    /// `EPRT` or `EPSV` with an unknown network protocol: 522.
    #[error("network protocol not supported, use (1,2)")]
    UnsupportedNetwork,
    /// The line is not UTF-8 (RFC 2640): 501.
    #[error("the line is not UTF-8")]
    NotUtf8,
    /// The line is longer than [`crate::protocol::MAX_LINE`]: 500.
    #[error("command line too long")]
    TooLong,
}

impl CommandError {
    /// The reply that tells the client.
    #[must_use]
    pub fn reply(self) -> Reply {
        let code = match self {
            Self::Unknown | Self::TooLong => ReplyCode::UNKNOWN_COMMAND,
            Self::NotImplemented => ReplyCode::NOT_IMPLEMENTED,
            Self::MissingArgument
            | Self::UnexpectedArgument
            | Self::BadArgument
            | Self::NotUtf8 => ReplyCode::BAD_ARGUMENT,
            Self::Unsupported => ReplyCode::NOT_FOR_PARAMETER,
            Self::UnsupportedNetwork => ReplyCode::UNSUPPORTED_NETWORK,
        };
        let text = self.to_string();
        Reply::new(code, text[..1].to_uppercase() + &text[1..] + ".")
    }
}

impl From<AddressError> for CommandError {
    fn from(error: AddressError) -> Self {
        match error {
            AddressError::Malformed => Self::BadArgument,
            AddressError::UnsupportedNetwork => Self::UnsupportedNetwork,
        }
    }
}
