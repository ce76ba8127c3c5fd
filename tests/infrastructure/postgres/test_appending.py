"""What the stores' own tests do not reach of the append path."""

import psycopg
import pytest
from psycopg.errors import PipelineAborted, UniqueViolation

from infrastructure.postgres.appending import first_error


def fail_twice() -> None:
    try:
        raise UniqueViolation
    finally:
        raise PipelineAborted


def test_what_failed_in_a_pipeline_is_raised_and_not_what_came_of_it() -> None:
    with pytest.raises(UniqueViolation), first_error():
        fail_twice()


def test_a_pipeline_that_was_aborted_by_nothing_known_says_so() -> None:
    with pytest.raises(PipelineAborted), first_error():
        raise PipelineAborted


def test_other_errors_pass() -> None:
    with pytest.raises(psycopg.DataError), first_error():
        raise psycopg.DataError
