"""Graph -> Program: steps get addresses, jumps their distances.

Instructions are laid out from the last to the first, each step after everything it can go
on to, so that all jumps lead forward as BPF demands. A conditional jump reaches 255
instructions: where a return is further away it is written once more, nearby; where another
step is, a plain jump bridges the distance.
"""

from __future__ import annotations

from ..policies.errors import InputError
from . import bpf
from .graph import Graph


def assemble(graph: Graph, entry: int) -> bpf.Program:
    """The program that starts at the entry step.

    Raises InputError when it would have more instructions than the kernel takes.
    """
    backwards: list[bpf.Instruction] = []
    place: dict[int, int] = {}
    """By step: its index in `backwards`; the latest copy counts."""

    def distance(step: int) -> int:
        """Instructions to skip from the next one to be written, to reach the step."""
        return len(backwards) - 1 - place[step]

    def bring_near(step: int, margin: int) -> None:
        """Make the step reachable by a conditional jump written within `margin` more."""
        if distance(step) + margin <= bpf.LONGEST_CONDITIONAL_JUMP:
            return
        far = graph.steps[step]
        if far.code == bpf.RET:
            backwards.append(bpf.Instruction(bpf.RET, k=far.k))
        else:
            backwards.append(bpf.Instruction(bpf.JUMP, k=distance(step)))
        place[step] = len(backwards) - 1

    for number in _finishing_order(graph, entry):
        step = graph.steps[number]
        if step.otherwise >= 0:
            bring_near(step.then, margin=1)
            bring_near(step.otherwise, margin=0)
            instruction = bpf.Instruction(
                step.code, distance(step.then), distance(step.otherwise), step.k
            )
        elif step.then >= 0:
            if distance(step.then) > 0:
                backwards.append(_bridge(graph, step.then, distance(step.then)))
            instruction = bpf.Instruction(step.code, k=step.k)
        else:
            instruction = bpf.Instruction(step.code, k=step.k)
        backwards.append(instruction)
        place[number] = len(backwards) - 1
    if len(backwards) > bpf.MAXIMAL_LENGTH:
        raise InputError.of(
            f"the program has {len(backwards)} instructions; the kernel takes at most "
            f"{bpf.MAXIMAL_LENGTH}",
            hint="name fewer architectures, or simplify the conditions with the most values",
        )
    return tuple(reversed(backwards))


def _bridge(graph: Graph, step: int, distance: int) -> bpf.Instruction:
    """What stands behind a step whose successor is not next to it."""
    target = graph.steps[step]
    if target.code == bpf.RET:
        return bpf.Instruction(bpf.RET, k=target.k)
    return bpf.Instruction(bpf.JUMP, k=distance)


def _finishing_order(graph: Graph, entry: int) -> list[int]:
    """Every step that is reachable, each after the steps it can go on to."""
    order: list[int] = []
    seen: set[int] = set()
    stack = [(entry, False)]
    while stack:
        number, done = stack.pop()
        if done:
            order.append(number)
        elif number not in seen:
            seen.add(number)
            step = graph.steps[number]
            stack.append((number, True))
            stack += [(after, False) for after in (step.then, step.otherwise) if after >= 0]
    return order
