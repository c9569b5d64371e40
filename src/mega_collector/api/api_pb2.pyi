from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Compression(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COMPRESSION_NONE: _ClassVar[Compression]
    COMPRESSION_ZSTD: _ClassVar[Compression]

class SkipReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SKIP_REASON_UNSPECIFIED: _ClassVar[SkipReason]
    SKIP_REASON_HOLE: _ClassVar[SkipReason]
    SKIP_REASON_NULS: _ClassVar[SkipReason]
    SKIP_REASON_LOST: _ClassVar[SkipReason]
    SKIP_REASON_START_AT_END: _ClassVar[SkipReason]

class RefusalReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REFUSAL_REASON_UNSPECIFIED: _ClassVar[RefusalReason]
    REFUSAL_REASON_WRONG_START: _ClassVar[RefusalReason]
    REFUSAL_REASON_NOT_OPEN: _ClassVar[RefusalReason]
    REFUSAL_REASON_MALFORMED: _ClassVar[RefusalReason]
    REFUSAL_REASON_TOO_LARGE: _ClassVar[RefusalReason]
    REFUSAL_REASON_NOT_YOURS: _ClassVar[RefusalReason]
    REFUSAL_REASON_HELD_UP: _ClassVar[RefusalReason]
    REFUSAL_REASON_OWN_OUTPUT: _ClassVar[RefusalReason]

class Stage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STAGE_UNSPECIFIED: _ClassVar[Stage]
    STAGE_INGEST_BUFFER: _ClassVar[Stage]
    STAGE_DESTINATION: _ClassVar[Stage]
    STAGE_COMMIT: _ClassVar[Stage]
COMPRESSION_NONE: Compression
COMPRESSION_ZSTD: Compression
SKIP_REASON_UNSPECIFIED: SkipReason
SKIP_REASON_HOLE: SkipReason
SKIP_REASON_NULS: SkipReason
SKIP_REASON_LOST: SkipReason
SKIP_REASON_START_AT_END: SkipReason
REFUSAL_REASON_UNSPECIFIED: RefusalReason
REFUSAL_REASON_WRONG_START: RefusalReason
REFUSAL_REASON_NOT_OPEN: RefusalReason
REFUSAL_REASON_MALFORMED: RefusalReason
REFUSAL_REASON_TOO_LARGE: RefusalReason
REFUSAL_REASON_NOT_YOURS: RefusalReason
REFUSAL_REASON_HELD_UP: RefusalReason
REFUSAL_REASON_OWN_OUTPUT: RefusalReason
STAGE_UNSPECIFIED: Stage
STAGE_INGEST_BUFFER: Stage
STAGE_DESTINATION: Stage
STAGE_COMMIT: Stage

class CollectorMessage(_message.Message):
    __slots__ = ("hello", "describe", "open", "block", "skip", "finish", "flush", "group", "report", "granted", "inventory")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    DESCRIBE_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    SKIP_FIELD_NUMBER: _ClassVar[int]
    FINISH_FIELD_NUMBER: _ClassVar[int]
    FLUSH_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    GRANTED_FIELD_NUMBER: _ClassVar[int]
    INVENTORY_FIELD_NUMBER: _ClassVar[int]
    hello: Hello
    describe: Describe
    open: Open
    block: Block
    skip: Skip
    finish: Finish
    flush: Flush
    group: CollectorGroup
    report: Report
    granted: Granted
    inventory: Inventory
    def __init__(self, hello: _Optional[_Union[Hello, _Mapping]] = ..., describe: _Optional[_Union[Describe, _Mapping]] = ..., open: _Optional[_Union[Open, _Mapping]] = ..., block: _Optional[_Union[Block, _Mapping]] = ..., skip: _Optional[_Union[Skip, _Mapping]] = ..., finish: _Optional[_Union[Finish, _Mapping]] = ..., flush: _Optional[_Union[Flush, _Mapping]] = ..., group: _Optional[_Union[CollectorGroup, _Mapping]] = ..., report: _Optional[_Union[Report, _Mapping]] = ..., granted: _Optional[_Union[Granted, _Mapping]] = ..., inventory: _Optional[_Union[Inventory, _Mapping]] = ...) -> None: ...

class AggregatorMessage(_message.Message):
    __slots__ = ("welcome", "resume", "ack", "refusal", "grant", "group", "status", "holdings")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    RESUME_FIELD_NUMBER: _ClassVar[int]
    ACK_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    GRANT_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    HOLDINGS_FIELD_NUMBER: _ClassVar[int]
    welcome: Welcome
    resume: Resume
    ack: Ack
    refusal: Refusal
    grant: Grant
    group: AggregatorGroup
    status: Status
    holdings: Holdings
    def __init__(self, welcome: _Optional[_Union[Welcome, _Mapping]] = ..., resume: _Optional[_Union[Resume, _Mapping]] = ..., ack: _Optional[_Union[Ack, _Mapping]] = ..., refusal: _Optional[_Union[Refusal, _Mapping]] = ..., grant: _Optional[_Union[Grant, _Mapping]] = ..., group: _Optional[_Union[AggregatorGroup, _Mapping]] = ..., status: _Optional[_Union[Status, _Mapping]] = ..., holdings: _Optional[_Union[Holdings, _Mapping]] = ...) -> None: ...

class CollectorGroup(_message.Message):
    __slots__ = ("messages", "packed")
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    PACKED_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[CollectorMessage]
    packed: bytes
    def __init__(self, messages: _Optional[_Iterable[_Union[CollectorMessage, _Mapping]]] = ..., packed: _Optional[bytes] = ...) -> None: ...

class AggregatorGroup(_message.Message):
    __slots__ = ("messages",)
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[AggregatorMessage]
    def __init__(self, messages: _Optional[_Iterable[_Union[AggregatorMessage, _Mapping]]] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("collector", "host", "tags", "version", "life", "boot")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    COLLECTOR_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LIFE_FIELD_NUMBER: _ClassVar[int]
    BOOT_FIELD_NUMBER: _ClassVar[int]
    collector: str
    host: str
    tags: _containers.ScalarMap[str, str]
    version: str
    life: bytes
    boot: bytes
    def __init__(self, collector: _Optional[str] = ..., host: _Optional[str] = ..., tags: _Optional[_Mapping[str, str]] = ..., version: _Optional[str] = ..., life: _Optional[bytes] = ..., boot: _Optional[bytes] = ...) -> None: ...

class FileIdentity(_message.Message):
    __slots__ = ("device", "inode")
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    INODE_FIELD_NUMBER: _ClassVar[int]
    device: int
    inode: int
    def __init__(self, device: _Optional[int] = ..., inode: _Optional[int] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("max_message_size", "window", "version", "boot", "outputs", "report_interval", "inventory", "batch_age")
    MAX_MESSAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    BOOT_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    REPORT_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    INVENTORY_FIELD_NUMBER: _ClassVar[int]
    BATCH_AGE_FIELD_NUMBER: _ClassVar[int]
    max_message_size: int
    window: int
    version: str
    boot: bytes
    outputs: _containers.RepeatedCompositeFieldContainer[FileIdentity]
    report_interval: int
    inventory: bool
    batch_age: int
    def __init__(self, max_message_size: _Optional[int] = ..., window: _Optional[int] = ..., version: _Optional[str] = ..., boot: _Optional[bytes] = ..., outputs: _Optional[_Iterable[_Union[FileIdentity, _Mapping]]] = ..., report_interval: _Optional[int] = ..., inventory: _Optional[bool] = ..., batch_age: _Optional[int] = ...) -> None: ...

class Marker(_message.Message):
    __slots__ = ("length", "digest")
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    length: int
    digest: bytes
    def __init__(self, length: _Optional[int] = ..., digest: _Optional[bytes] = ...) -> None: ...

class Description(_message.Message):
    __slots__ = ("source", "path", "device", "inode", "head")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    INODE_FIELD_NUMBER: _ClassVar[int]
    HEAD_FIELD_NUMBER: _ClassVar[int]
    source: bytes
    path: bytes
    device: int
    inode: int
    head: Marker
    def __init__(self, source: _Optional[bytes] = ..., path: _Optional[bytes] = ..., device: _Optional[int] = ..., inode: _Optional[int] = ..., head: _Optional[_Union[Marker, _Mapping]] = ...) -> None: ...

class Describe(_message.Message):
    __slots__ = ("source",)
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    source: Description
    def __init__(self, source: _Optional[_Union[Description, _Mapping]] = ...) -> None: ...

class Resume(_message.Message):
    __slots__ = ("source", "known")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    KNOWN_FIELD_NUMBER: _ClassVar[int]
    source: bytes
    known: _containers.RepeatedCompositeFieldContainer[Known]
    def __init__(self, source: _Optional[bytes] = ..., known: _Optional[_Iterable[_Union[Known, _Mapping]]] = ...) -> None: ...

class Known(_message.Message):
    __slots__ = ("source", "position", "before", "head", "finished", "sent")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    HEAD_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    SENT_FIELD_NUMBER: _ClassVar[int]
    source: bytes
    position: int
    before: Marker
    head: Marker
    finished: bool
    sent: Sent
    def __init__(self, source: _Optional[bytes] = ..., position: _Optional[int] = ..., before: _Optional[_Union[Marker, _Mapping]] = ..., head: _Optional[_Union[Marker, _Mapping]] = ..., finished: _Optional[bool] = ..., sent: _Optional[_Union[Sent, _Mapping]] = ...) -> None: ...

class Sent(_message.Message):
    __slots__ = ("position", "before")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    position: int
    before: Marker
    def __init__(self, position: _Optional[int] = ..., before: _Optional[_Union[Marker, _Mapping]] = ...) -> None: ...

class Open(_message.Message):
    __slots__ = ("source", "position", "before")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    source: Description
    position: int
    before: Marker
    def __init__(self, source: _Optional[_Union[Description, _Mapping]] = ..., position: _Optional[int] = ..., before: _Optional[_Union[Marker, _Mapping]] = ...) -> None: ...

class Block(_message.Message):
    __slots__ = ("source", "start", "size", "entries", "unterminated", "crc32", "compression", "payload", "read_at")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    UNTERMINATED_FIELD_NUMBER: _ClassVar[int]
    CRC32_FIELD_NUMBER: _ClassVar[int]
    COMPRESSION_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    READ_AT_FIELD_NUMBER: _ClassVar[int]
    source: bytes
    start: int
    size: int
    entries: int
    unterminated: bool
    crc32: int
    compression: Compression
    payload: bytes
    read_at: int
    def __init__(self, source: _Optional[bytes] = ..., start: _Optional[int] = ..., size: _Optional[int] = ..., entries: _Optional[int] = ..., unterminated: _Optional[bool] = ..., crc32: _Optional[int] = ..., compression: _Optional[_Union[Compression, str]] = ..., payload: _Optional[bytes] = ..., read_at: _Optional[int] = ...) -> None: ...

class Skip(_message.Message):
    __slots__ = ("source", "start", "end", "reason", "before")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    source: bytes
    start: int
    end: int
    reason: SkipReason
    before: Marker
    def __init__(self, source: _Optional[bytes] = ..., start: _Optional[int] = ..., end: _Optional[int] = ..., reason: _Optional[_Union[SkipReason, str]] = ..., before: _Optional[_Union[Marker, _Mapping]] = ...) -> None: ...

class Finish(_message.Message):
    __slots__ = ("source", "position", "lost")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    LOST_FIELD_NUMBER: _ClassVar[int]
    source: bytes
    position: int
    lost: bool
    def __init__(self, source: _Optional[bytes] = ..., position: _Optional[int] = ..., lost: _Optional[bool] = ...) -> None: ...

class Granted(_message.Message):
    __slots__ = ("window",)
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    window: int
    def __init__(self, window: _Optional[int] = ...) -> None: ...

class Flush(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Inventory(_message.Message):
    __slots__ = ("after", "ended")
    AFTER_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    after: Description
    ended: bool
    def __init__(self, after: _Optional[_Union[Description, _Mapping]] = ..., ended: _Optional[bool] = ...) -> None: ...

class Holdings(_message.Message):
    __slots__ = ("holdings", "last", "others")
    HOLDINGS_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    OTHERS_FIELD_NUMBER: _ClassVar[int]
    holdings: _containers.RepeatedCompositeFieldContainer[Holding]
    last: Description
    others: bool
    def __init__(self, holdings: _Optional[_Iterable[_Union[Holding, _Mapping]]] = ..., last: _Optional[_Union[Description, _Mapping]] = ..., others: _Optional[bool] = ...) -> None: ...

class Holding(_message.Message):
    __slots__ = ("source", "position", "before")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    source: Description
    position: int
    before: Marker
    def __init__(self, source: _Optional[_Union[Description, _Mapping]] = ..., position: _Optional[int] = ..., before: _Optional[_Union[Marker, _Mapping]] = ...) -> None: ...

class Report(_message.Message):
    __slots__ = ("files", "lag", "oldest", "behind")
    FILES_FIELD_NUMBER: _ClassVar[int]
    LAG_FIELD_NUMBER: _ClassVar[int]
    OLDEST_FIELD_NUMBER: _ClassVar[int]
    BEHIND_FIELD_NUMBER: _ClassVar[int]
    files: int
    lag: int
    oldest: float
    behind: _containers.RepeatedCompositeFieldContainer[Behind]
    def __init__(self, files: _Optional[int] = ..., lag: _Optional[int] = ..., oldest: _Optional[float] = ..., behind: _Optional[_Iterable[_Union[Behind, _Mapping]]] = ...) -> None: ...

class Behind(_message.Message):
    __slots__ = ("path", "lag", "oldest", "stage", "cause")
    PATH_FIELD_NUMBER: _ClassVar[int]
    LAG_FIELD_NUMBER: _ClassVar[int]
    OLDEST_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    path: bytes
    lag: int
    oldest: float
    stage: str
    cause: str
    def __init__(self, path: _Optional[bytes] = ..., lag: _Optional[int] = ..., oldest: _Optional[float] = ..., stage: _Optional[str] = ..., cause: _Optional[str] = ...) -> None: ...

class Position(_message.Message):
    __slots__ = ("source", "position")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    source: bytes
    position: int
    def __init__(self, source: _Optional[bytes] = ..., position: _Optional[int] = ...) -> None: ...

class Ack(_message.Message):
    __slots__ = ("positions",)
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    positions: _containers.RepeatedCompositeFieldContainer[Position]
    def __init__(self, positions: _Optional[_Iterable[_Union[Position, _Mapping]]] = ...) -> None: ...

class Refusal(_message.Message):
    __slots__ = ("source", "start", "expected", "reason", "retry", "message")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    source: bytes
    start: int
    expected: int
    reason: RefusalReason
    retry: bool
    message: str
    def __init__(self, source: _Optional[bytes] = ..., start: _Optional[int] = ..., expected: _Optional[int] = ..., reason: _Optional[_Union[RefusalReason, str]] = ..., retry: _Optional[bool] = ..., message: _Optional[str] = ...) -> None: ...

class Grant(_message.Message):
    __slots__ = ("window",)
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    window: int
    def __init__(self, window: _Optional[int] = ...) -> None: ...

class Status(_message.Message):
    __slots__ = ("stage", "cause", "tries", "next_try_in")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    TRIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_TRY_IN_FIELD_NUMBER: _ClassVar[int]
    stage: Stage
    cause: str
    tries: int
    next_try_in: int
    def __init__(self, stage: _Optional[_Union[Stage, str]] = ..., cause: _Optional[str] = ..., tries: _Optional[int] = ..., next_try_in: _Optional[int] = ...) -> None: ...

class PublishRequest(_message.Message):
    __slots__ = ("collector", "source", "block")
    COLLECTOR_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    collector: Hello
    source: Description
    block: Block
    def __init__(self, collector: _Optional[_Union[Hello, _Mapping]] = ..., source: _Optional[_Union[Description, _Mapping]] = ..., block: _Optional[_Union[Block, _Mapping]] = ...) -> None: ...

class PublishResponse(_message.Message):
    __slots__ = ("position",)
    POSITION_FIELD_NUMBER: _ClassVar[int]
    position: int
    def __init__(self, position: _Optional[int] = ...) -> None: ...

class AuditRequest(_message.Message):
    __slots__ = ("collector", "whose", "files")
    COLLECTOR_FIELD_NUMBER: _ClassVar[int]
    WHOSE_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    collector: Hello
    whose: bool
    files: _containers.RepeatedCompositeFieldContainer[Description]
    def __init__(self, collector: _Optional[_Union[Hello, _Mapping]] = ..., whose: _Optional[bool] = ..., files: _Optional[_Iterable[_Union[Description, _Mapping]]] = ...) -> None: ...

class AuditResponse(_message.Message):
    __slots__ = ("records", "own")
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    OWN_FIELD_NUMBER: _ClassVar[int]
    records: _containers.RepeatedCompositeFieldContainer[Record]
    own: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, records: _Optional[_Iterable[_Union[Record, _Mapping]]] = ..., own: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Record(_message.Message):
    __slots__ = ("source", "first", "position", "entries", "crc32", "before", "finished", "gone", "updated_at", "ranges")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    CRC32_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    GONE_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    RANGES_FIELD_NUMBER: _ClassVar[int]
    source: Description
    first: int
    position: int
    entries: int
    crc32: int
    before: Marker
    finished: bool
    gone: bool
    updated_at: int
    ranges: _containers.RepeatedCompositeFieldContainer[Passage]
    def __init__(self, source: _Optional[_Union[Description, _Mapping]] = ..., first: _Optional[int] = ..., position: _Optional[int] = ..., entries: _Optional[int] = ..., crc32: _Optional[int] = ..., before: _Optional[_Union[Marker, _Mapping]] = ..., finished: _Optional[bool] = ..., gone: _Optional[bool] = ..., updated_at: _Optional[int] = ..., ranges: _Optional[_Iterable[_Union[Passage, _Mapping]]] = ...) -> None: ...

class Passage(_message.Message):
    __slots__ = ("start", "end", "reason")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    start: int
    end: int
    reason: str
    def __init__(self, start: _Optional[int] = ..., end: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class ReplayRequest(_message.Message):
    __slots__ = ("dead_letter",)
    DEAD_LETTER_FIELD_NUMBER: _ClassVar[int]
    dead_letter: bytes
    def __init__(self, dead_letter: _Optional[bytes] = ...) -> None: ...

class ReplayResponse(_message.Message):
    __slots__ = ("entries", "bytes", "bytes_known", "bytes_unknown")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    BYTES_KNOWN_FIELD_NUMBER: _ClassVar[int]
    BYTES_UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    entries: int
    bytes: int
    bytes_known: int
    bytes_unknown: int
    def __init__(self, entries: _Optional[int] = ..., bytes: _Optional[int] = ..., bytes_known: _Optional[int] = ..., bytes_unknown: _Optional[int] = ...) -> None: ...

class ReleaseRequest(_message.Message):
    __slots__ = ("collector", "holder")
    COLLECTOR_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    collector: str
    holder: str
    def __init__(self, collector: _Optional[str] = ..., holder: _Optional[str] = ...) -> None: ...

class ReleaseResponse(_message.Message):
    __slots__ = ("holder",)
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    holder: str
    def __init__(self, holder: _Optional[str] = ...) -> None: ...

class TopRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class TopResponse(_message.Message):
    __slots__ = ("view",)
    VIEW_FIELD_NUMBER: _ClassVar[int]
    view: bytes
    def __init__(self, view: _Optional[bytes] = ...) -> None: ...

class TapRequest(_message.Message):
    __slots__ = ("host", "path", "match")
    HOST_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    MATCH_FIELD_NUMBER: _ClassVar[int]
    host: str
    path: bytes
    match: bytes
    def __init__(self, host: _Optional[str] = ..., path: _Optional[bytes] = ..., match: _Optional[bytes] = ...) -> None: ...

class TapResponse(_message.Message):
    __slots__ = ("host", "path", "lines", "missed")
    HOST_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    MISSED_FIELD_NUMBER: _ClassVar[int]
    host: str
    path: bytes
    lines: bytes
    missed: int
    def __init__(self, host: _Optional[str] = ..., path: _Optional[bytes] = ..., lines: _Optional[bytes] = ..., missed: _Optional[int] = ...) -> None: ...
