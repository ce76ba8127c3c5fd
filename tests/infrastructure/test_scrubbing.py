import pytest

from infrastructure.scrubbing import scrubbed

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("nothing of the kind", "nothing of the kind"),
        ("the token has expired", "the token has expired"),
        (f"it was {JWT}!", "it was ***!"),
        (f"Authorization: Bearer {JWT}", "Authorization: ***"),
        ("{'Authorization': 'Basic Zm9v'}", "{'Authorization': '***'}"),
        (r"{\"authorization\": \"Bearer opaque\"}", r"{\"authorization\": \"***\"}"),
        ("a bearer opaque-token came", "a bearer *** came"),
        ("GET /ws?after=1&token=opaque&x=2", "GET /ws?after=1&token=***&x=2"),
        ("ticket=0a1b TICKET: 0a1b", "ticket=*** TICKET: ***"),
        ("password='hunter2', PASSWD=hunter2", "password='***', PASSWD=***"),
        (
            '{"api_key": "k", "secret_key": "s", "APCA-API-KEY-ID": "i"}',
            '{"api_key": "***", "secret_key": "***", "APCA-API-KEY-ID": "***"}',
        ),
        ("postgresql://me:hunter2@host:5432/db", "postgresql://me:***@host:5432/db"),
        ("redis://:hunter2@host/0", "redis://:***@host/0"),
        ("GET https://host:1/path?a=b&c=d failed", "GET https://host:1/path?*** failed"),
    ],
)
def test_secrets_are_taken_out_and_the_rest_stays(text: str, clean: str) -> None:
    assert scrubbed(text) == clean
    assert scrubbed(clean) == clean
