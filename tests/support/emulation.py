"""Makes moto quicker, and its DynamoDB fit for functions that write in transactions and from several threads.

Moto makes an RSA pair for each symmetric key; here all share one. An account like an earlier one is a copy of
it: making its tables again takes longer than most tests. Moto looks for each of the ten kinds that a value of
DynamoDB may have under a dozen names, which was a third of a test's time; here it looks at the one that is
there. Moto looks at each HTTP request for an address of AWS, with a thousand patterns; here only botocore's calls
are taken, and those of DynamoDB go straight to it, unsigned. Moto copies the whole table for each write of a transaction, and puts the copy back when a condition fails,
whatever other threads have written meanwhile. Here one call is served at a time, and only what a transaction
changes is copied.
"""

from __future__ import annotations

import copy
import os
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from botocore.signers import RequestSigner
from botocore.useragent import UserAgentString
from moto.core import models as core
from moto.core import responses
from moto.core.base_backend import BackendDict
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.serialize import ResponseSerializer
from moto.dynamodb import models
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler
from moto.events.models import events_backends
from moto.kms import models as kms
from moto.kms.models import kms_backends
from moto.secretsmanager.models import secretsmanager_backends

from tests.support import dynamodb_calls, update_expressions

_process_request = BotocoreStubber.process_request


class Copies:
    """Stands for the module ``copy`` in moto's model of DynamoDB."""

    def __init__(self) -> None:
        self._before: dict[str, Table] = {}

    def deepcopy(self, thing: Any, memo: Any = None) -> Any:
        if isinstance(thing, Table):
            # Moto asks once for each write, before the first of them.
            return self._before.setdefault(thing.name, self._table(thing))
        copied = copy.deepcopy(thing, memo)
        if isinstance(thing, Item):
            # An update is about to change the item in place: the table as it was keeps the copy.
            for before in self._before.values():
                partition: Any = before.items.get(thing.hash_key, {})
                if partition.get(thing.range_key) is thing:
                    partition[thing.range_key] = copied
        return copied

    @staticmethod
    def _table(table: Table) -> Table:
        before = copy.copy(table)
        before.items = defaultdict(dict, {key: dict(items) for key, items in table.items.items()})
        return before

    def forget(self) -> None:
        """Let go of the tables as they were: after a rollback they are the tables that are."""
        self._before = {}


def _backend(backends: Any) -> Any:
    return backends[DEFAULT_ACCOUNT_ID][os.environ["AWS_DEFAULT_REGION"]]


def tables() -> dict[str, Table]:
    """Return the account's tables as moto has them; a scan of each would take too long to do often."""
    found: dict[str, Table] = _backend(dynamodb_backends).tables
    return found


class AccountTemplate:
    """Makes the tables, secrets and keys of an account once, and copies of them from then on.

    Parameters
    ----------
    make
        Makes them in an empty account, by calls.
    """

    _PARTS = (
        (dynamodb_backends, "tables"),
        (secretsmanager_backends, "secrets"),
        (kms_backends, "keys"),
        (events_backends, "event_buses"),
    )

    def __init__(self, make: Callable[[], None]) -> None:
        self._make = make
        self._made: list[Any] = []

    def fill(self) -> None:
        """Fill the empty account."""
        if not self._made:
            self._make()
            self._made = [copy.deepcopy(getattr(_backend(service), name)) for service, name in self._PARTS]
            return
        for (service, name), made in zip(self._PARTS, self._made, strict=True):
            setattr(_backend(service), name, copy.deepcopy(made))


def _serialize_what_is_there() -> None:
    """Skip the nine kinds that a value of DynamoDB has not."""
    serializer: Any = ResponseSerializer
    whole = serializer._serialize_type_structure

    def attribute(own: Any, value: Any, shape: Any) -> Any:
        wrapper = own.MAP_TYPE()
        for kind, content in value.items():
            match kind:
                case "S" | "N" | "BOOL" | "NULL":
                    wrapper[kind] = content
                case "M":
                    wrapper[kind] = {name: attribute(own, member, shape) for name, member in content.items()}
                case "L":
                    wrapper[kind] = [attribute(own, member, shape) for member in content]
                case _:
                    member = shape.members[kind]
                    member.parent = shape
                    own._serialize_structure_member(wrapper, value, member, kind)
        return wrapper

    def serialize(own: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
        if shape.name != "AttributeValue" or not key or not isinstance(value, dict):
            whole(own, serialized, value, shape, key)
        else:
            own._default_serialize(serialized, attribute(own, value, shape), shape, key)

    serializer._serialize_type_structure = serialize


def _measure_a_new_item_once() -> None:
    """Moto measures all attributes before each that it adds."""

    def make(own: Any, hash_key: Any, range_key: Any, attrs: dict[str, Any]) -> None:
        own.hash_key, own.range_key, own.attrs = hash_key, range_key, LimitedSizeDict()
        dict.update(own.attrs, {name: DynamoType(value) for name, value in attrs.items()})
        if attrs:
            name, value = own.attrs.popitem()
            own.attrs[name] = value  # measures all of them

    item: Any = Item
    item.__init__ = make


def _leave_http_requests_alone() -> None:
    mock: Any = core.MockAWS

    def enable(own: Any, reset: bool = True) -> None:
        core.botocore_stubber.enabled = True
        if reset:
            own.reset()

    def disable(own: Any, remove_data: bool) -> None:
        core.botocore_stubber.enabled = False
        if remove_data:
            own.reset()

    mock.reset = lambda _own: BackendDict.reset()
    mock._enable_patching, mock._disable_patching = enable, disable


@dataclass
class _Request:
    """What moto's DynamoDB reads of a request."""

    method: str
    raw_url: str
    headers: dict[str, str]
    data: Any
    path: str = "/"
    raw_path: str = "/"
    from_wsgi_server: bool = False
    content_encoding: str = ""
    form: dict[str, str] = field(default_factory=dict)
    files: dict[str, Any] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)

    @property
    def content_type(self) -> str:
        return self.headers["Content-Type"]


def _straight_to_dynamodb(own: BotocoreStubber, request: Any) -> Any:
    headers = {"host": "", **{name: _text(value) for name, value in request.headers.items()}}
    if not headers.get("X-Amz-Target", "").startswith("DynamoDB_"):
        return _process_request(own, request)
    made = _Request(request.method, request.url, headers, request.body)
    return DynamoHandler.dispatch(made, request.url, headers)


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode()


def _make_requests_short() -> None:
    """Sign nothing for moto, and make up no names: of clients, of requests."""
    signer: Any = RequestSigner
    sign = signer.handler

    def sign_for_others(own: Any, *arguments: Any, **options: Any) -> Any:
        return None if core.botocore_stubber.enabled else sign(own, *arguments, **options)

    signer.handler = sign_for_others
    agent: Any = UserAgentString
    agent.to_string = lambda _own: "tests"
    agent.rebuild_and_replace_user_agent_handler = lambda *_, **__: None


def install() -> None:
    """Change moto, once for the process."""
    _leave_http_requests_alone()
    _make_requests_short()
    _serialize_what_is_there()
    _measure_a_new_item_once()
    update_expressions.install()
    vars_of_responses: Any = responses
    request = {"x-amzn-requestid": "REQUEST"}
    vars_of_responses.gen_amzn_requestid_long = lambda headers: headers.update(request)
    vars_of_responses.method_names_from_class = cache(vars_of_responses.method_names_from_class)
    vars_of_responses.camelcase_to_underscores = cache(vars_of_responses.camelcase_to_underscores)
    lock = threading.RLock()
    dynamodb_calls.install(lock)

    def one_at_a_time(stubber: BotocoreStubber, request: Any) -> Any:
        with lock:
            return _straight_to_dynamodb(stubber, request)

    copies = Copies()
    vars_of_models: Any = models
    vars_of_models.copy = copies
    transact = vars_of_models.DynamoDBBackend.transact_write_items

    def transact_and_forget(backend: Any, items: Any) -> None:
        copies.forget()
        try:
            transact(backend, items)
        finally:
            copies.forget()

    vars_of_models.DynamoDBBackend.transact_write_items = transact_and_forget
    vars_of_keys: Any = kms
    vars_of_keys.generate_private_key = cache(vars_of_keys.generate_private_key)
    stubber_class: Any = BotocoreStubber
    stubber_class.process_request = one_at_a_time
