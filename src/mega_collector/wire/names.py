"""What has a name here and a number in a message, such as the reasons for things."""

from typing import Final

from mega_collector.api import api_pb2 as pb
from mega_collector.block import SkipReason
from mega_collector.protocol import RefusalReason, Stage

SKIP_REASONS: Final = {
    SkipReason.HOLE: pb.SKIP_REASON_HOLE,
    SkipReason.NULS: pb.SKIP_REASON_NULS,
    SkipReason.LOST: pb.SKIP_REASON_LOST,
    SkipReason.START_AT_END: pb.SKIP_REASON_START_AT_END,
}
REFUSAL_REASONS: Final = {
    RefusalReason.WRONG_START: pb.REFUSAL_REASON_WRONG_START,
    RefusalReason.NOT_OPEN: pb.REFUSAL_REASON_NOT_OPEN,
    RefusalReason.MALFORMED: pb.REFUSAL_REASON_MALFORMED,
    RefusalReason.TOO_LARGE: pb.REFUSAL_REASON_TOO_LARGE,
    RefusalReason.NOT_YOURS: pb.REFUSAL_REASON_NOT_YOURS,
    RefusalReason.HELD_UP: pb.REFUSAL_REASON_HELD_UP,
    RefusalReason.OWN_OUTPUT: pb.REFUSAL_REASON_OWN_OUTPUT,
}
STAGES: Final = {
    Stage.INGEST_BUFFER: pb.STAGE_INGEST_BUFFER,
    Stage.DESTINATION: pb.STAGE_DESTINATION,
    Stage.COMMIT: pb.STAGE_COMMIT,
}
"""Those that an aggregator can be at."""

STAGE_OF: Final = {code: stage for stage, code in STAGES.items()}
SKIP_REASON_OF: Final = {code: reason for reason, code in SKIP_REASONS.items()}
REFUSAL_REASON_OF: Final = {code: reason for reason, code in REFUSAL_REASONS.items()}
