"""The document of the API against the real server: whatever schemathesis makes up, the answers are what it promises."""
from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from appliance.doors import tokens
from appliance.store import db as store
from tests.desk import Office, box_at
from web import api
from web.api import document, gate

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
          negative_data_rejection, ignored_auth, unsupported_method]
EXAMPLES = 8             # of each operation, some 25 of them


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Office, str]]:
    """An office with a little in it, and a token that may everything, as fast as it likes."""
    folder: Path = tmp_path_factory.mktemp("schema")
    office = Office(box_at(folder))
    for n in range(5):
        call_id = office.missed(f"+4915123456{n:03}", contact=f"Margaret {n}")
    office.recorded(call_id)
    with store.write(office.db) as db:
        _, token = tokens.add(db, "schemathesis", "owner", "Amy", datetime.now(UTC))
    yield office, token
    office.close()


schema = schemathesis.openapi.from_dict(document.document(api.OPERATIONS))


@schema.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
          suppress_health_check=list(HealthCheck))
def test_whatever_comes_in_the_answer_is_what_the_document_says(case: schemathesis.Case,
                                                               served: tuple[Office, str]) -> None:
    office, token = served
    gate.PACE.__init__()       # type: ignore[misc]        # its own test is elsewhere; here it would answer everything
    case.call_and_validate(base_url=office.url + "/api/v1", checks=CHECKS, timeout=10,
                           headers={"Authorization": f"Bearer {token}"})
