from infrastructure.audit.stream_versions import StreamVersions


def test_a_stream_is_as_far_as_was_said_last() -> None:
    with StreamVersions() as versions:
        assert versions.of(["a"]) == {}
        versions.save({"a": 1, 'b "quoted" \\ ü': 7})
        versions.save({"a": 2})
        assert versions.of(["a", 'b "quoted" \\ ü', "c"]) == {"a": 2, 'b "quoted" \\ ü': 7}
        assert versions.of([]) == {}
