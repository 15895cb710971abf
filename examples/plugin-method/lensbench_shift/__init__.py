"""What `lensbench ls methods` tells of this method; imports nothing heavy."""

from lensbench import MethodInfo

INFO = MethodInfo(
    name="shift",
    title="Shift: a mean difference added at one block",
    kind="intervention",
    needs=("parallel prompts (bactrian_x)",),
    changes="the output of one block while a prompt is read",
    source="an example",
    target="lensbench_shift.method:METHOD",
    config="lensbench_shift.config:ShiftConfig",
)
