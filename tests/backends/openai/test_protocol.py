"""What the words of providers mean."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest

from game_reasoning_arena.backends.openai.addresses import base_of, credentials, endpoint, unusable
from game_reasoning_arena.backends.openai.protocol import (
    LONGEST_ERROR,
    error_for,
    error_in_body,
    moved,
)
from game_reasoning_arena.backends.openai.usage import read_usage
from game_reasoning_arena.backends.openai.waits import in_words_s, reset_s, retry_after_s
from game_reasoning_arena.backends.prices import cost_usd
from game_reasoning_arena.errors import (
    AuthError,
    BackendError,
    BadRequestError,
    ContextOverflowError,
    NotFoundError,
    QuotaError,
    RateLimitedError,
    TransientError,
)
from game_reasoning_arena.records import Model, Provider
from tests.backends.calls import provider, request

MODEL = request(provider("http://127.0.0.1:1/v1", api_key_env="LAB_API_KEY")).model


@pytest.mark.parametrize(
    ("status", "text", "expected"),
    [
        (400, "temperature must be at most 2", BadRequestError),
        (400, "This model's maximum context length is 8192 tokens", ContextOverflowError),
        (400, "prompt is too long: 210000 tokens > 200000 maximum", ContextOverflowError),
        (400, "the request exceeds the available context size", ContextOverflowError),
        (413, "Please reduce the length of the messages", ContextOverflowError),
        (413, "payload too large", BadRequestError),
        (400, "API key not valid. Please pass a valid API key.", AuthError),
        (400, "Incorrect API key provided: xx", AuthError),
        (400, "Your credit balance is too low to access the API", QuotaError),
        (401, "", AuthError),
        (403, "no access to this model", AuthError),
        (403, "Your input was flagged by moderation", BadRequestError),
        (404, "no such model", NotFoundError),
        (409, "conflict", TransientError),
        (429, "Rate limit reached for requests per minute", RateLimitedError),
        (429, "You exceeded your current quota, please check your plan", QuotaError),
        (429, "You exceeded your current quota. Please retry in 12.5s.", RateLimitedError),
        (402, "", QuotaError),
        (500, "", TransientError),
        (None, "connection reset", TransientError),
    ],
)
def test_failures_have_types(status: int | None, text: str, expected: type[BackendError]) -> None:
    error = error_for(MODEL, status=status, text=text)
    assert type(error) is expected
    assert error.status == status
    assert MODEL.name in str(error)


def test_an_error_names_the_variable_and_stays_short() -> None:
    error = error_for(MODEL, status=401, text="wrong key\n" * 1000)
    assert "LAB_API_KEY" in str(error)
    assert "\n" not in str(error)
    assert len(str(error)) < LONGEST_ERROR + 200


def test_error_objects_of_many_kinds() -> None:
    said = {"message": "out", "code": "insufficient_quota"}
    assert isinstance(error_in_body(MODEL, said, status=429), QuotaError)
    inside = {"message": "slow down", "code": 429}  # a success with an error inside
    error = error_in_body(MODEL, inside, status=None)
    assert (type(error), error.status) == (RateLimitedError, 429)
    assert "plain words" in str(error_in_body(MODEL, "plain words", status=500))
    assert "a detail" in str(error_in_body(MODEL, {"detail": "a detail"}, status=422))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Please try again in 7m59.56s. Visit our site", 479.56),
        ("Rate limit reached. Try again in 30s", 30.0),
        ("Please retry after 30 seconds.", 30.0),
        ("Please wait 1 minute and 5 seconds", 65.0),
        ("try again in 20ms", 0.02),
        ('{"retryDelay": "34s"}', 34.0),
        ("try again in 1 message", None),
        ("you have waited 5 seconds", None),
    ],
)
def test_a_wait_in_words(text: str, seconds: float | None) -> None:
    assert in_words_s(text) == (None if seconds is None else pytest.approx(seconds))


def test_a_wait_in_words_is_in_the_error() -> None:
    assert error_for(MODEL, status=429, text="try again in 30s").retry_after == 30.0
    assert error_for(MODEL, status=400, text="try again in 30s").retry_after is None
    google = {"message": "out", "details": [{"@type": "RetryInfo", "retryDelay": "34s"}]}
    assert error_in_body(MODEL, google, status=429).retry_after == 34.0
    header = {"X-RateLimit-Reset": "12"}
    assert error_in_body(MODEL, "slow", status=429, headers=header).retry_after == 12.0
    assert error_in_body(MODEL, "slow", status=500, headers=header).retry_after is None


def test_a_rate_limits_reset() -> None:
    in_20_s = time.time() + 20
    assert reset_s({"x-ratelimit-reset": str(in_20_s * 1000)}) == pytest.approx(20, abs=2)
    assert reset_s({"X-RateLimit-Reset": str(in_20_s)}) == pytest.approx(20, abs=2)
    assert reset_s({"ratelimit-reset": "12"}) == 12.0
    of_openai = {
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "6m0s",
        "x-ratelimit-remaining-tokens": "3000",
        "x-ratelimit-reset-tokens": "2h",
    }
    assert reset_s(of_openai) == 360.0  # the limit that is used up is the one that counts
    assert reset_s({"x-ratelimit-reset": "soon", "x-ratelimit-limit": "9"}) is None


@pytest.mark.parametrize(
    ("text", "param", "way_out"),
    [
        ("Unsupported parameter: 'seed'", None, "sampling.seed=null"),
        ("temperature is not supported with this model", None, "`extra: {temperature: null}`"),
        ("nothing said", "top_p", "model.extra.top_p=null"),
        (
            "[{'loc': ['body', 'stop'], 'msg': 'Extra inputs are not permitted'}]",
            None,
            "stop: null",
        ),
        ("please stop this", None, ""),
    ],
)
def test_a_refused_parameter_can_be_left_out(text: str, param: str | None, way_out: str) -> None:
    error = error_in_body(MODEL, {"message": text, "param": param}, status=400)
    assert way_out in str(error)
    assert ("null" in str(error)) == bool(way_out)


@pytest.mark.parametrize(
    ("location", "says"),
    [
        ("/v2/chat/completions", "=http://127.0.0.1:1/v2."),
        ("http://[bad", "an address that is none"),
    ],
    ids=["relative", "none"],
)
def test_a_moved_address_may_be_relative_or_none(location: str, says: str) -> None:
    assert says in str(moved(MODEL, 301, location))


def test_a_moved_address_is_said_without_what_it_holds() -> None:
    error = moved(MODEL, 301, "https://me:pw@new.example/v2/chat/completions?api-version=1")
    assert isinstance(error, NotFoundError)
    assert "provider.my_lab.api_base=https://new.example/v2?api-version=1" in str(error)
    assert "pw" not in str(error)


def test_a_query_stays_at_the_end_of_an_address() -> None:
    assert endpoint("http://h/v1/") == "http://h/v1/chat/completions"
    azure = "https://h/openai/deployments/x?api-version=2024-10-21"
    assert endpoint(azure) == (
        "https://h/openai/deployments/x/chat/completions?api-version=2024-10-21"
    )
    assert endpoint("http://h/v1/chat/completions") == "http://h/v1/chat/completions"
    assert base_of(endpoint(azure)) == azure


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (" sk-0123456789", "blanks"),
        ("sk-0123456789\n", "line breaks"),
        ("sk-01234\n56789", "line breaks"),
        ("'sk-0123456789'", "quotation marks"),
        ("sk-0123\u200b456789", "invisible"),
        ("sk-0123\u00e9456789", "not ASCII"),
        ("sk-0123456789", None),
    ],
)
def test_a_key_that_can_be_none_is_refused_unshown(value: str, what: str | None) -> None:
    said = unusable(value)
    assert (said is None) if what is None else (what in (said or ""))
    assert "0123" not in (said or "")


def test_retry_after_in_seconds_or_as_a_date() -> None:
    assert retry_after_s({"Retry-After": "1.5"}) == 1.5
    assert retry_after_s({"retry-after-ms": "250", "retry-after": "9"}) == 0.25
    assert retry_after_s({"Retry-After": "-3"}) == 0.0
    later = retry_after_s({"RETRY-AFTER": formatdate(time.time() + 3600, usegmt=True)})
    assert later is not None
    assert 3500 < later <= 3600
    assert retry_after_s({"Retry-After": formatdate(0, usegmt=True)}) == 0.0
    assert retry_after_s({"Retry-After": "soon"}) is None
    assert retry_after_s({"X": "1"}) is None


def test_usage_of_many_kinds() -> None:
    deepseek = read_usage({"prompt_tokens": 5, "prompt_cache_hit_tokens": 3})
    assert (deepseek.prompt_tokens, deepseek.cached_tokens) == (5, 3)
    assert deepseek.completion_tokens is None
    empty = read_usage({"prompt_tokens_details": None, "completion_tokens_details": {}})
    assert (empty.cached_tokens, empty.reasoning_tokens) == (None, None)
    zero = read_usage({"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 0}})
    assert zero.cached_tokens == 0


def test_credentials_are_found_in_the_authority_only() -> None:
    assert credentials("http://a:b@c/v1") == "a:b"
    assert credentials("http://c/v1@x:y") is None


def model_of(provider: str, model_id: str, **prices: float) -> Model:
    return Model(
        name=f"direct_{provider}/{model_id}",
        backend="direct",
        model_id=model_id,
        provider=Provider(name=provider),
        prices=prices,
    )


def test_prices_are_the_tables() -> None:
    usage = read_usage({"prompt_tokens": 1000, "completion_tokens": 100})
    mini = model_of("openai", "gpt-4o-mini")
    assert cost_usd(mini, usage) == pytest.approx(1000 * 1.5e-7 + 100 * 6e-7)
    chat = model_of("deepseek", "deepseek-chat")
    assert cost_usd(chat, usage) == pytest.approx(2.8e-4 + 4.2e-5)
    assert cost_usd(model_of("groq", "gpt-4o-mini"), usage) is None  # another provider's model
    assert cost_usd(model_of("my_lab", "some-model"), usage) is None
    assert cost_usd(mini, read_usage({"prompt_tokens": 5})) is None


def test_an_entrys_own_prices_go_first() -> None:
    """In USD per million tokens, as price lists have them."""
    usage = read_usage(
        {
            "prompt_tokens": 1000,
            "completion_tokens": 100,
            "prompt_tokens_details": {"cached_tokens": 400},
            "completion_tokens_details": {"reasoning_tokens": 60},
        }
    )
    plain = model_of("my_lab", "some-model", input=2.0, output=10.0)
    assert cost_usd(plain, usage) == pytest.approx(1000 * 2e-6 + 100 * 10e-6)
    full = model_of("openai", "gpt-4o-mini", input=2, output=10, cached_input=0.5, reasoning=20)
    assert cost_usd(full, usage) == pytest.approx(
        600 * 2e-6 + 400 * 0.5e-6 + 40 * 10e-6 + 60 * 20e-6
    )
    assert cost_usd(model_of("my_lab", "free", input=0, output=0), usage) == 0.0


def test_long_prompts_may_cost_more() -> None:
    from game_reasoning_arena.backends.prices import table

    suffix = "_above_200k_tokens"
    name, entry = next(
        (name, entry)
        for name, entry in table().items()
        if name.startswith("gemini/")
        and "input_cost_per_token" + suffix in entry
        and "output_cost_per_token" + suffix in entry
    )
    usage = read_usage({"prompt_tokens": 300_000, "completion_tokens": 10})
    expected = (
        300_000 * entry["input_cost_per_token" + suffix]
        + 10 * entry["output_cost_per_token" + suffix]
    )
    model = model_of("gemini", name.removeprefix("gemini/"))
    assert cost_usd(model, usage) == pytest.approx(expected)
