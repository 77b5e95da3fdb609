"""Makes moto's update expressions quicker, with the same outcome.

Moto reads an expression anew for each call, up to three times, and copies its tree node by node, memo and all.
It walks through the tree ten times, asks at each node, of each kind, whether the node is of that kind, by way of
abstract classes, and counts and compares the clauses of the whole at each of its parts. Here an expression is read
once, its tree is copied as a tree, kinds are looked up by class, and the whole is judged at its root.
"""

from __future__ import annotations

import abc
from collections import defaultdict
from copy import deepcopy
from functools import cache
from typing import Any

from moto.dynamodb.parsing import ast_nodes, expressions, validators

_nodes: Any = ast_nodes
_validators: Any = validators


class _Class(abc.ABCMeta):
    """An abstract class that has no virtual subclasses."""

    __instancecheck__ = type.__instancecheck__
    __subclasscheck__ = type.__subclasscheck__


def _copied(node: Any) -> Any:
    """Return the copy of a tree whose leaves are strings and numbers."""
    made = object.__new__(type(node))
    made.type, made.parent, children = node.type, None, node.children
    if children is not None:
        children = [_copied(child) if isinstance(child, _nodes.Node) else child for child in children]
        for child in children:
            if isinstance(child, _nodes.Node):
                child.parent = made
    made.children = children
    return made


def _kind(walker: Any, node: Any) -> Any:
    """Return the first kind that a walker processes and that a node of this class is of."""
    return next(
        (kind for kind in walker._processing_map(walker.__new__(walker)) if issubclass(node, kind)), None
    )


#: The kinds that a walker processes, by the class of a node.
_kinds: dict[type, dict[type, Any]] = defaultdict(dict)


def _traverse(own: Any, root: Any, child_id: int = -1) -> Any:
    walker, processing = type(own), own._processing_map()
    notes = walker.pre_processing_of_child is not _nodes.DepthFirstTraverser.pre_processing_of_child
    kinds, no_node = _kinds[walker], (str, int)

    def walk(node: Any, child_id: int) -> Any:
        parent, own_class = node.parent, type(node)
        for position, child in enumerate(node.children or ()):
            if notes:
                own.pre_processing_of_child(node, position)
            if type(child) not in no_node and isinstance(child, _nodes.Node):
                walk(child, position)
        if own_class not in kinds:
            kinds[own_class] = _kind(walker, own_class)
        if kind := kinds[own_class]:
            node = processing[kind](node)
            node.parent = parent
            if parent:
                parent.children[child_id] = node
        return node

    return walk(root, child_id)


def install() -> None:
    """Change moto, once for the process."""
    for node in vars(_nodes).values():
        if isinstance(node, type) and issubclass(node, _nodes.Node):
            node.__class__ = _Class
    _nodes.DepthFirstTraverser.traverse_node_recursively = _traverse
    _validators.ActionCountValidator.traverse = lambda own, node: own.verify_action_counts(node)
    _validators.OverlappingPathsValidator.traverse = lambda own, node: own.check_for_overlapping_paths(node)
    _validators.deepcopy = lambda thing: (_copied if isinstance(thing, _nodes.Node) else deepcopy)(thing)
    parser: Any = vars(expressions)["UpdateExpressionParser"]
    parser.make = cache(parser.make)
