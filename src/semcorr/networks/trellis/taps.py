"""Which transformer blocks of a flow network have to run."""

from torch import nn

from semcorr.errors import UserError


def stop_index(network: nn.Module, taps: tuple[int, ...], stop_after: int | None) -> int:
    """Return the last transformer block that has to run.

    Args:
        network: with `blocks`, and `whole` = False where only the first were loaded.
        taps: blocks whose output is kept, ascending.
        stop_after: block after which the pass ends; None: all run.

    Raises:
        UserError: a block does not exist.
        ValueError: a tap lies behind the exit, or all blocks are needed and not there.
    """
    last = len(network.blocks) - 1
    for index in (*taps, *(() if stop_after is None else (stop_after,))):
        if not 0 <= index <= last:
            raise UserError(f"block {index} does not exist: the loaded network has 0..{last}")
    if stop_after is not None:
        if taps and max(taps) > stop_after:
            raise ValueError(f"tap {max(taps)} lies behind the exit after block {stop_after}")
        return stop_after
    if not network.whole:
        raise ValueError("only the first blocks were loaded: pass stop_after, there is no velocity")
    return last
