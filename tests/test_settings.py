"""Settings: read in one place, wrong values refused by name, secrets never shown."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from sentry_connector.errors import UsageError
from sentry_connector.settings import SETTINGS, Settings, from_environment, user_data_folder, without_password

SECRETS = {
    "SENTRY_AUTH_TOKEN": "sntryu_canary",
    "SENTRY_CONNECTOR_KEY": "canary-key",
    "SENTRY_CONNECTOR_DATABASE_URL": "postgresql://user:canary@db/x?password=canary2",
    "SENTRY_CONNECTOR_PROXY": "http://user:canary@proxy:8080",
}


def test_every_field_is_a_documented_setting() -> None:
    assert [setting.name for setting in SETTINGS] == [field.name for field in dataclasses.fields(Settings)]
    assert len({setting.variable for setting in SETTINGS}) == len(SETTINGS)
    assert all(setting.about.endswith(".") and setting.default for setting in SETTINGS)


def test_an_empty_environment_gives_the_documented_defaults() -> None:
    settings = from_environment({"HOME": "/home/ada", "XDG_DATA_HOME": "/data"})
    assert settings.home == Path("/data/sentry-connector")
    assert settings.database_url == "sqlite:////data/sentry-connector/connector.db"
    assert settings.storage == "/data/sentry-connector/tables"
    for setting in SETTINGS:
        if setting.default.isdigit():
            assert getattr(settings, setting.name) == int(setting.default)
    assert settings.url == next(setting.default for setting in SETTINGS if setting.name == "url")


def test_every_variable_is_read() -> None:
    env = {
        "SENTRY_AUTH_TOKEN": " sntryu_abc\r\n",
        "SENTRY_URL": "https://sentry.example",
        "SENTRY_ORG": "acme",
        "SENTRY_PROJECT": "shop",
        "SENTRY_CONNECTOR_HOME": "/srv/home",
        "SENTRY_CONNECTOR_DATABASE_URL": "postgresql://db/x",
        "SENTRY_CONNECTOR_STORAGE": "s3://bucket/tables",
        "AWS_ENDPOINT_URL_S3": "https://s3.example",
        "AWS_ENDPOINT_URL": "https://aws.example",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-2",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "session",
        "AZURE_STORAGE_ACCOUNT_NAME": "account",
        "AZURE_STORAGE_ACCOUNT_KEY": "a2V5",
        "SENTRY_CONNECTOR_KEY": "k",
        "SENTRY_CONNECTOR_KEY_FILE": "/srv/key",
        "SENTRY_CONNECTOR_CA_FILE": "/srv/ca.pem",
        "SENTRY_CONNECTOR_PROXY": "http://proxy:8080",
        "SENTRY_CONNECTOR_MAX_ANSWER_MIB": "128",
        "SENTRY_CONNECTOR_MAX_WAIT": "60",
        "SENTRY_CONNECTOR_SETTLE": "0",
        "SENTRY_CONNECTOR_CONCURRENCY": "4",
        "SENTRY_CONNECTOR_KEEP_VERSIONS": "3",
        "SENTRY_CONNECTOR_RETENTION_DAYS": "30",
        "SENTRY_CONNECTOR_LATE_HOURS": "12",
        "SENTRY_CONNECTOR_RECONCILE_DAYS": "3",
        "SENTRY_CONNECTOR_HISTORY_DAYS": "30",
        "SENTRY_CONNECTOR_RUN_MINUTES": "5",
        "SENTRY_CONNECTOR_RUN_MIB": "100",
        "SENTRY_CONNECTOR_LOOK_SECONDS": "10",
        "SENTRY_CONNECTOR_QUERY_SECONDS": "30",
        "SENTRY_CONNECTOR_QUERY_MIB": "512",
        "SENTRY_CONNECTOR_OIDC_ISSUER": "https://id.example",
        "SENTRY_CONNECTOR_OIDC_CLIENT_ID": "connector",
        "SENTRY_CONNECTOR_OIDC_CLIENT_SECRET": "s",
        "SENTRY_CONNECTOR_OIDC_ONLY": "1",
        "SENTRY_CONNECTOR_REQUIRE_SECOND_FACTOR": "1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/traces",
        "NO_COLOR": "0",
    }
    assert set(env) == {setting.variable for setting in SETTINGS}
    assert from_environment(env) == Settings(
        auth_token="sntryu_abc",
        url="https://sentry.example",
        organization="acme",
        project="shop",
        home=Path("/srv/home"),
        database_url="postgresql://db/x",
        storage="s3://bucket/tables",
        s3_endpoint="https://s3.example",
        aws_endpoint="https://aws.example",
        aws_region="eu-west-1",
        aws_default_region="eu-west-2",
        aws_access_key_id="id",
        aws_secret_access_key="secret",
        aws_session_token="session",
        azure_account_name="account",
        azure_account_key="a2V5",
        key="k",
        key_file=Path("/srv/key"),
        ca_file=Path("/srv/ca.pem"),
        proxy="http://proxy:8080",
        max_answer_mib=128,
        max_wait=60,
        settle=0,
        concurrency=4,
        keep_versions=3,
        retention_days=30,
        late_hours=12,
        reconcile_days=3,
        history_days=30,
        run_minutes=5,
        otlp_endpoint="http://collector:4318",
        otlp_traces_endpoint="http://collector:4318/traces",
        run_mib=100,
        look_seconds=10,
        query_seconds=30,
        query_mib=512,
        oidc_issuer="https://id.example",
        oidc_client_id="connector",
        oidc_client_secret="s",
        oidc_only=True,
        require_second_factor=True,
        no_color=True,
    )


def test_blank_variables_count_as_not_set() -> None:
    blank = {setting.variable: "  " for setting in SETTINGS}
    assert from_environment({"HOME": "/h", **blank}) == from_environment({"HOME": "/h"})


@pytest.mark.parametrize("text", ["x", "-1", "1.5", "0", "5000", "٣", "1e3"])
def test_a_wrong_value_is_refused_with_the_variables_name(text: str) -> None:
    with pytest.raises(UsageError, match=r"SENTRY_CONNECTOR_MAX_ANSWER_MIB is .* from 1 to 4096"):
        from_environment({"SENTRY_CONNECTOR_MAX_ANSWER_MIB": text})


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "nul\0", "naïve"])
def test_a_wrong_token_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(UsageError, match="SENTRY_AUTH_TOKEN") as caught:
        from_environment({"SENTRY_AUTH_TOKEN": token})
    assert token not in caught.value.message


def test_secrets_are_in_no_repr_and_masked_where_settings_are_shown() -> None:
    settings = from_environment(SECRETS)
    shown = settings.masked()
    assert "canary" not in repr(settings)
    assert "canary" not in repr(shown)
    assert shown["SENTRY_AUTH_TOKEN"] == "***"
    assert shown["SENTRY_CONNECTOR_PROXY"] == "http://***@proxy:8080"
    assert shown["SENTRY_ORG"] is None
    assert list(shown) == [setting.variable for setting in SETTINGS]


@pytest.mark.parametrize(
    "url", ["postgresql://u:ca/na#ry@h/d", "postgresql://u:canary@x@h/d", "x://h/d?password=canary", "x://u:\ncanary@h"]
)
def test_a_password_with_odd_characters_is_hidden_too(url: str) -> None:
    shown = without_password(url)
    assert "ca/na" not in shown
    assert "canary" not in shown


def test_the_home_is_where_each_platform_keeps_a_users_data() -> None:
    env = {"HOME": "/home/ada"}
    assert user_data_folder(env, "linux") == Path("/home/ada/.local/share/sentry-connector")
    assert user_data_folder(env, "darwin") == Path("/home/ada/Library/Application Support/sentry-connector")
    assert user_data_folder({"LOCALAPPDATA": "/local"}, "win32") == Path("/local/sentry-connector")


def test_who_has_no_home_names_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container, which is run with an id that its system does not know."""

    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nobody)
    assert from_environment({"SENTRY_CONNECTOR_HOME": "/data"}).home == Path("/data")
    with pytest.raises(UsageError, match="home"):
        from_environment({})


# ---- where tables live


@pytest.mark.parametrize(
    "text", ["ftp://host/tables", "s3://", "s3:///", "s3://id:c4nary@bucket/tables", "s3://bucket/tables?secret=c4nary"]
)
def test_an_address_that_is_no_storage_is_refused_without_a_secret_in_it(text: str) -> None:
    with pytest.raises(UsageError, match="SENTRY_CONNECTOR_STORAGE") as caught:
        from_environment({"HOME": "/h", "SENTRY_CONNECTOR_STORAGE": text})
    assert "c4nary" not in caught.value.message + caught.value.remedy


@pytest.mark.parametrize("text", ["minio:9000", "s3.example", "https://id:c4nary@minio", "ftp://minio"])
def test_an_endpoint_is_the_url_of_a_server(text: str) -> None:
    with pytest.raises(UsageError, match="AWS_ENDPOINT_URL") as caught:
        from_environment({"HOME": "/h", "AWS_ENDPOINT_URL": text})
    assert "c4nary" not in caught.value.message


def options(storage: str, **variables: str) -> dict[str, str]:
    return from_environment({"HOME": "/h", "SENTRY_CONNECTOR_STORAGE": storage, **variables}).storage_options


def test_a_storage_is_reached_by_the_variables_of_its_kind() -> None:
    of_aws = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_ENDPOINT_URL": "http://minio:9000"}
    of_azure = {"AZURE_STORAGE_ACCOUNT_NAME": "acme"}
    assert options("/srv/tables", **of_aws, **of_azure) == {}
    assert options("gs://bucket/tables", **of_aws, **of_azure) == {}
    assert options("az://box/tables", **of_aws, **of_azure) == {"azure_storage_account_name": "acme"}
    known = {
        "aws_access_key_id": "id",
        "aws_secret_access_key": "secret",
        "aws_endpoint_url": "http://minio:9000",
        "allow_http": "true",
    }
    assert options("s3://bucket/tables", **of_aws, **of_azure) == known | {"aws_region": "us-east-1"}
    assert options("s3://b/t", AWS_DEFAULT_REGION="eu-west-2") == {"aws_region": "eu-west-2"}
    assert options("s3://b/t", AWS_ENDPOINT_URL="https://a", AWS_ENDPOINT_URL_S3="https://b", AWS_REGION="x") == {
        "aws_region": "x",
        "aws_endpoint_url": "https://b",
    }


@pytest.mark.parametrize("one", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_half_a_key_is_refused_where_it_is_needed(one: str) -> None:
    with pytest.raises(UsageError, match="one is set and the other is not"):
        options("s3://bucket/tables", **{one: "c4nary"})
    assert options("/srv/tables", **{one: "c4nary"}) == {}
