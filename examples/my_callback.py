"""A callback of one's own: it watches a run and adds a number to the record of every epoch.

The number is kept in `scalars.jsonl`, drawn in the note, and may be predicted by its name.
A run is the same to the last bit with and without it.

    bascule train dcgan64-tiny --callback my_callback.py:Norm --set data.n=600 epochs=5
"""

from bascule.training.loop import Callback, Record


class Norm(Callback):
    """The length of all weights of D as one vector."""

    adds = ("norm of D",)

    def on_epoch_end(self, record: Record) -> None:
        squares = [weight.square().sum() for weight in record.trainer.game.D.parameters()]
        record.add("norm of D", sum(squares).sqrt().item())
