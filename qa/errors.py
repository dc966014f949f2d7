"""What can go wrong, and the way out of it.

QAError
├── SettingsError    an option or environment variable that can't be used
├── SourceError      a file that can't become a source
├── EncoderError     a model that can't be used
├── JudgeError       a judge that isn't whole
├── IndexMissing     no index where one was looked for
├── IndexDamaged     an index that isn't whole, or isn't ours
├── ProcessorError   the citation processor is missing, or failed
├── QueryError       a question that can't be asked
└── NotFound         a source or citation that isn't in the library
"""


class QAError(Exception):
    """Base of every error this package raises on purpose; its message names the subject and the way out."""


class SettingsError(QAError):
    """An option or environment variable has a value that can't be used."""


class SourceError(QAError):
    """A file can't be read as a source, or two files claim one id."""


class EncoderError(QAError):
    """A sentence-transformers model is missing, or is of a kind that can't be exported faithfully."""


class JudgeError(QAError):
    """The judge's network or the evidence's weights are missing, or aren't those the figures were measured with."""


class IndexMissing(QAError):
    """There is no index at the place looked in."""


class IndexDamaged(QAError):
    """An index isn't whole, was made by another format version, or isn't an index of ours."""


class ProcessorError(QAError):
    """The citation processor or its styles are missing, or it failed."""


class QueryError(QAError):
    """A question, filter or limit can't be used as given."""


class NotFound(QAError):
    """A source id or citation id names nothing in the library."""


REBUILD = "run `qa index --rebuild` to make it anew"  # the way out of every damaged index
