"""What goes wrong between us and Label Studio.

PipelineError
└── ReviewError              base: one line for the user, exit code 1
    ├── UnreachableError     nobody answers at the URL: nothing was done
    ├── AnswerLostError      a request was sent and its answer did not come: it may have been done
    │   └── TooLongAnswerError   it was longer than we read
    ├── NotAllowedError      the token is wrong, or its user may not do this
    ├── TooLargeError        a request has more bytes than the server, or a proxy before it, takes
    └── ProjectChangedError  the project is gone, or no longer what we push to and pull from
"""

from pipelines.workspace.errors import PipelineError


class ReviewError(PipelineError):
    """Base of the errors of human review; the message says what, where and what to do."""


class UnreachableError(ReviewError):
    """No connection: the server did not see the request."""


class AnswerLostError(ReviewError):
    """The connection broke, timed out or ended in a 5xx: what was asked may have been done."""


class TooLongAnswerError(AnswerLostError):
    """The answer has more bytes than we read."""


class NotAllowedError(ReviewError):
    """The token is wrong or expired, or its user lacks a permission."""


class TooLargeError(ReviewError):
    """A request has too many bytes (413): nothing was done, and half of it may be taken."""


class ProjectChangedError(ReviewError):
    """The project was deleted or edited so that masks or decisions would be lost in it."""
