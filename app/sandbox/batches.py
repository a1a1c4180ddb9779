"""Let pySHACL evaluate a property shape on all its nodes at once.

pySHACL 0.40 calls a property shape node by node and builds its constraints anew each time, which
is most of the time of a validation. Its `Shape.validate` takes many focus nodes as well and gives
the same results, so one call replaces thousands. A test compares the reports with and without.
"""

from __future__ import annotations

from typing import Any

import pyshacl.shape
from pyshacl.constraints import ALL_CONSTRAINT_PARAMETERS, CONSTRAINT_PARAMETERS_MAP
from pyshacl.constraints.core.shape_based_constraints import PropertyConstraintComponent

_one_by_one = PropertyConstraintComponent._evaluate_property_shape


def evaluate_in_batches(*, on: bool = True) -> None:
    """Switch it on or off for this process."""
    # Looked up for every predicate of every shape: a list would be searched from end to end.
    parameters = frozenset(ALL_CONSTRAINT_PARAMETERS) if on else ALL_CONSTRAINT_PARAMETERS
    vars(pyshacl.shape)["CONSTRAINT_PARAMS"] = (parameters, CONSTRAINT_PARAMETERS_MAP)
    method = _in_one_call if on else _one_by_one
    setattr(PropertyConstraintComponent, _one_by_one.__name__, method)


def _in_one_call(self: Any, *args: Any) -> tuple[bool, list[Any]]:
    executor, property_shape, target_graph, focus_value_nodes, recursive, path = args
    shape = self.shape.get_other_shape(property_shape)
    if recursive or not shape or not shape.is_property_shape:
        refused: tuple[bool, list[Any]] = _one_by_one(self, *args)  # type: ignore[no-untyped-call]
        return refused
    nodes = list({node for values in focus_value_nodes.values() for node in values})
    conforms, reports = shape.validate(
        executor, target_graph, focus=nodes, _evaluation_path=[*path]
    )
    return not conforms, reports
