"""A feed-forward part whose experts lie on the CPU and are borrowed by the layer's GPU for ubatches of many tokens.

Both ways stand in the program; the number of tokens a step has to deal with says which of them a run takes.
"""

from harness.core.models.recipe import DensePart, ExpertsPart
from harness.core.plan.types import Loan
from harness.core.program.op import Sizes
from harness.core.program.parts import Groups, Parts
from harness.core.program.stream import Stream, copied


def lent_feed_forward(
    parts: Parts, x: Stream, part: DensePart | ExpertsPart, groups: Groups, loan: Loan, least: int
) -> Stream:
    """The part on its own device below `least` tokens, on the one that borrows from there on; the result is there."""
    tape, at_hand = parts.tape, x.at(loan.borrower)
    few, many = Sizes(most=least - 1), Sizes(least=least)
    with tape.only(few):
        at_home = parts.feed_forward(loan.lender, copied(tape, at_hand, loan.lender), part, groups)
    with tape.only(many):
        borrowed = parts.feed_forward(loan.borrower, at_hand, part, groups)
    return Stream.at_home(tape, loan.borrower, tape.either(loan.borrower, {at_home: few, borrowed: many}))
