//! The one place that turns what AWS answers into an error that the state machine can match and a person can act on.

use crate::aws::Place;
use aws_sdk_sts::config::http::HttpResponse;
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::RequestId;
use lambda_runtime::Diagnostic;
use std::fmt;

/// What is not shown after this many retries of `NotVisibleYet`, which take more than a minute, is not there.
pub const NOT_THERE_AFTER: u32 = 10;

/// What the code of an id that no resource can have ends with, such as `InvalidAMIID.Malformed`.
const MALFORMED: &str = ".Malformed";
/// What is not ready after this many retries of `NotReadyYet`, which take ten minutes, is given up.
pub const NOT_READY_AFTER: u32 = 60;

/// What the state machine matches as `errorType`. The names are part of the contract with `bake.asl.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// AWS asked to slow down.
    Throttled,
    /// AWS did not answer, or answered 5xx.
    Unavailable,
    /// Something that exists, or was allowed, cannot be seen everywhere yet.
    NotVisibleYet,
    /// What a request names is on its way to a state in which it can be used, or not seen everywhere yet.
    NotReadyYet,
    /// The request is wrong; lists every problem.
    InvalidRequest,
    /// IAM, KMS or an SCP said no.
    AccessDenied,
    /// The stack's own parameters do not allow it, or not any more: AWS was not asked.
    NotAllowed,
    /// A name belongs to another bake.
    Conflict,
    /// AWS does not copy this image to another account: the state machine launches an instance from it there.
    NotCopyable,
    /// An image or a snapshot failed.
    ImageFailed,
    /// Pending for longer than `TimeoutMinutes`.
    TimedOut,
    /// A grant could not be taken back.
    RevokeFailed,
    /// Anything else, panics included.
    Unexpected,
}

impl ErrorKind {
    pub const ALL: [ErrorKind; 13] = [
        Self::Throttled,
        Self::Unavailable,
        Self::NotVisibleYet,
        Self::NotReadyYet,
        Self::InvalidRequest,
        Self::AccessDenied,
        Self::NotAllowed,
        Self::Conflict,
        Self::NotCopyable,
        Self::ImageFailed,
        Self::TimedOut,
        Self::RevokeFailed,
        Self::Unexpected,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Throttled => "Throttled",
            Self::Unavailable => "Unavailable",
            Self::NotVisibleYet => "NotVisibleYet",
            Self::NotReadyYet => "NotReadyYet",
            Self::InvalidRequest => "InvalidRequest",
            Self::AccessDenied => "AccessDenied",
            Self::NotAllowed => "NotAllowed",
            Self::Conflict => "Conflict",
            Self::NotCopyable => "NotCopyable",
            Self::ImageFailed => "ImageFailed",
            Self::TimedOut => "TimedOut",
            Self::RevokeFailed => "RevokeFailed",
            Self::Unexpected => "Unexpected",
        }
    }

    /// Whether AWS itself was short of something, so that the same call may well succeed a moment later.
    pub fn is_aws_s_own(self) -> bool {
        match self {
            Self::Throttled | Self::Unavailable => true,
            Self::NotVisibleYet
            | Self::NotReadyYet
            | Self::InvalidRequest
            | Self::AccessDenied
            | Self::NotAllowed
            | Self::Conflict
            | Self::NotCopyable
            | Self::ImageFailed
            | Self::TimedOut
            | Self::RevokeFailed
            | Self::Unexpected => false,
        }
    }

    /// The kind of an AWS error code.
    /// <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-error-codes.html>
    fn of_code(code: &str) -> Self {
        match code {
            "RequestLimitExceeded"
            | "ResourceLimitExceeded"
            | "Throttling"
            | "ThrottlingException"
            | "ThrottledException"
            | "TooManyRequestsException"
            | "SlowDown"
            | "ConcurrentTagAccess"
            | "ConcurrentCreateImageNoRebootLimitExceeded"
            | "ConcurrentSnapshotLimitExceeded"
            | "PendingSnapshotLimitExceeded"
            | "InstanceLimitExceeded"
            | "VcpuLimitExceeded"
            | "SnapshotCreationPerVolumeRateExceeded" => Self::Throttled,
            "InternalError"
            | "InsufficientInstanceCapacity"
            | "InternalFailure"
            | "InternalServerError"
            | "ServiceUnavailable"
            | "ServiceUnavailableException"
            | "Unavailable"
            | "RetryableError"
            | "DependencyTimeoutException"
            | "KMSInternalException"
            // The next attempt assumes the role anew.
            | "ExpiredToken"
            | "ExpiredTokenException"
            | "RequestExpired"
            | "RequestTimeout"
            | "OperationAborted" => Self::Unavailable,
            // A role that was made a moment ago is "not a valid principal" for a while.
            "InvalidAMIID.NotFound" | "InvalidSnapshot.NotFound" | "InvalidArnException" => Self::NotVisibleYet,
            "AccessDenied"
            | "AccessDeniedException"
            | "AuthFailure"
            | "UnauthorizedOperation"
            | "DisabledException"
            | "KMSInvalidStateException"
            | "CustomerKeyHasBeenRevoked"
            | "OptInRequired" => Self::AccessDenied,
            "InvalidRequest" | "InvalidParameter" | "InvalidParameterValue" | "InvalidParameterCombination"
            | "MissingParameter" | "MissingInput" | "VPCIdNotSpecified" | "InvalidSubnetID.NotFound"
            | "InvalidGroup.NotFound" | "Unsupported" | "UnsupportedOperation" | "OperationNotPermitted" | "ValidationError" | "ValidationException" => {
                Self::InvalidRequest
            }
            // The last digits of an id are a checksum: recorded on AWS in 2026 of ids of images, snapshots and volumes.
            _ if code.ends_with(MALFORMED) => Self::InvalidRequest,
            _ => Self::Unexpected,
        }
    }

    /// What the reader can do.
    fn advice(self) -> &'static str {
        match self {
            Self::Throttled | Self::Unavailable | Self::NotVisibleYet | Self::NotReadyYet => {
                "It is tried again by itself; if the bake fails of it, start it again with its BakeId."
            }
            Self::AccessDenied => {
                "Check the policy of the role that the message names, the key's policy and state, and the organization's SCPs."
            }
            Self::InvalidRequest | Self::NotAllowed | Self::NotCopyable => "Correct the request and start it again.",
            Self::Conflict | Self::ImageFailed | Self::TimedOut | Self::RevokeFailed | Self::Unexpected => {
                "Look the request id up in CloudTrail."
            }
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a function failed.
#[derive(Clone, Debug)]
pub struct StepError {
    pub kind: ErrorKind,
    /// What failed, on which resource, in which account and Region, and what the reader can do.
    pub message: String,
    /// AWS's error code, where AWS answered with one.
    code: Option<String>,
    /// AWS's id of the request that it refused.
    request_id: Option<String>,
}

impl StepError {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), code: None, request_id: None }
    }

    /// Whether AWS answered with this error code.
    pub fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// Whether AWS answered that there is no `what` of this id, or that there cannot be one: `InvalidAMIID.NotFound`,
    /// `InvalidAMIID.Malformed`. A mistyped id is most likely the latter, since ids carry a checksum (recorded on AWS).
    pub fn is_unknown_id(&self, what: &str) -> bool {
        let rest = self.code.as_deref().and_then(|code| code.strip_prefix(what));
        rest.is_some_and(|rest| rest == ".NotFound" || rest == MALFORMED)
    }

    /// AWS's error code, where AWS answered with one.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// AWS's id of the request that it refused, by which CloudTrail finds it.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// The same error seen as another kind, where the place knows better than the code.
    pub fn as_kind(mut self, kind: ErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// The same error, with something more that the reader can do.
    pub fn and(mut self, advice: &str) -> Self {
        self.message = format!("{} {advice}", self.message);
        self
    }
}

#[cfg(test)]
impl StepError {
    /// As if AWS had answered so.
    pub(crate) fn with_aws_code(self, code: &str, request_id: &str) -> Self {
        Self { code: Some(code.to_owned()), request_id: Some(request_id.to_owned()), ..self }
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

impl std::error::Error for StepError {}

impl From<StepError> for Diagnostic {
    fn from(error: StepError) -> Self {
        Diagnostic { error_type: error.kind.name().to_owned(), error_message: error.message }
    }
}

/// Says what was asked of AWS when the answer is an error.
pub trait Context<T> {
    /// `action` as IAM writes it (`ec2:CopyImage`), `on` the resource, `at` the account and Region.
    fn doing(self, action: &'static str, on: impl fmt::Display, at: &Place) -> Result<T, StepError>;
}

impl<T, E> Context<T> for Result<T, SdkError<E, HttpResponse>>
where
    E: ProvideErrorMetadata,
    SdkError<E, HttpResponse>: RequestId,
{
    fn doing(self, action: &'static str, on: impl fmt::Display, at: &Place) -> Result<T, StepError> {
        self.map_err(|error| {
            let request_id = error.request_id().map(str::to_owned);
            let (kind, code, said) = match &error {
                SdkError::ServiceError(answer) => {
                    let code = answer.err().code().unwrap_or("no error code").to_owned();
                    let said = format!("{code}: {}", answer.err().message().unwrap_or("no message"));
                    let kind = match ErrorKind::of_code(&code) {
                        ErrorKind::Unexpected if answer.raw().status().as_u16() == 429 => ErrorKind::Throttled,
                        // Whatever code a 5xx has, it is AWS's own trouble.
                        ErrorKind::Unexpected if answer.raw().status().is_server_error() => ErrorKind::Unavailable,
                        kind => kind,
                    };
                    (kind, Some(code), said)
                }
                SdkError::TimeoutError(_) => (ErrorKind::Unavailable, None, "no answer in time".to_owned()),
                SdkError::DispatchFailure(_) => (ErrorKind::Unavailable, None, "the connection failed".to_owned()),
                SdkError::ResponseError(_) => (ErrorKind::Unavailable, None, "the answer was cut off".to_owned()),
                _ => (ErrorKind::Unexpected, None, "the request could not be built".to_owned()),
            };
            let advice = kind.advice();
            let id = request_id.as_deref().unwrap_or("none");
            let message = format!("{action} on {on} in {at}: {said} (request id {id}). {advice}");
            StepError { kind, message, code, request_id }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagnostic_carries_the_fixed_name() {
        for kind in ErrorKind::ALL {
            let diagnostic: Diagnostic = StepError::new(kind, "why").into();
            assert_eq!((diagnostic.error_type.as_str(), diagnostic.error_message.as_str()), (kind.name(), "why"));
        }
    }

    #[test]
    fn an_id_that_is_mistyped_names_nothing() {
        let coded = |code: &str| StepError { code: Some(code.to_owned()), ..StepError::new(ErrorKind::Unexpected, "") };
        assert!(coded("InvalidAMIID.Malformed").is_unknown_id("InvalidAMIID"));
        assert!(coded("InvalidAMIID.NotFound").is_unknown_id("InvalidAMIID"));
        assert!(!coded("InvalidAMIID.Unavailable").is_unknown_id("InvalidAMIID"));
        assert!(!coded("InvalidAMIID.NotFound").is_unknown_id("InvalidInstanceID"));
    }

    #[test]
    fn codes_have_the_kind_that_the_state_machine_retries() {
        assert_eq!(ErrorKind::of_code("RequestLimitExceeded"), ErrorKind::Throttled);
        assert_eq!(ErrorKind::of_code("InternalError"), ErrorKind::Unavailable);
        assert_eq!(ErrorKind::of_code("InvalidAMIID.NotFound"), ErrorKind::NotVisibleYet);
        assert_eq!(ErrorKind::of_code("UnauthorizedOperation"), ErrorKind::AccessDenied);
        assert_eq!(ErrorKind::of_code("InvalidAMIID.Malformed"), ErrorKind::InvalidRequest);
        assert_eq!(ErrorKind::of_code("SomethingNew"), ErrorKind::Unexpected);
    }
}
