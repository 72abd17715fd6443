"""The one table of prefixes: what the rest of a model's name means, and what such a model needs.

A prefix that is not in the table, such as one of the user's own, leaves the rest of the name to its
backend.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from msgspec import Struct


class Meaning(Struct, frozen=True, kw_only=True):
    """The meaning of names with a prefix."""

    #: The rest is ``provider/model``, or a model of OpenAI's. Such a model need not be listed.
    of_provider: bool = False
    #: Whether its provider must have an address.
    needs_address: bool = False
    #: It has to be listed in the catalog.
    needs_entry: bool = False
    #: Its entry has to set one of these keys; the first of them is an absolute path.
    entry_sets: tuple[str, ...] = ()
    #: How a message advises to list one, with ``{name}`` in it.
    how_to_list: str = ""
    #: Who answers by rules, where no language model does.
    stand_in: str | None = None
    #: Whether the answers are those of a recorded run.
    recorded: bool = False
    #: The program whose further settings its entry may hold under ``engine``.
    engine_of: str | None = None


#: The prefix that reaches every provider.
OF_APIS = "litellm"

PREFIXES: Mapping[str, Meaning] = {
    OF_APIS: Meaning(of_provider=True),
    "direct": Meaning(of_provider=True, needs_address=True),
    "vllm": Meaning(
        needs_entry=True,
        entry_sets=("model_path", "api_base"),
        how_to_list=(
            "List it in conf/catalog/vllm_models.yaml: `models: [{{name: {name}, model_path: "
            "/absolute/path}}]`, or with the api_base of a running `vllm serve`."
        ),
        engine_of="vLLM",
    ),
    "scripted": Meaning(stand_in="scripted_* are stand-ins that follow rules"),
    "replay": Meaning(recorded=True),
}
_OF_BACKENDS = Meaning()


def split_name(name: str, backends: Collection[str]) -> tuple[str | None, str]:
    """Return a name's prefix, the longest that is a backend's, and the rest after the underscore.

    ``("litellm", "gpt-4o")`` for ``litellm_gpt-4o``; ``(None, name)`` if no prefix fits.
    """
    fitting = [prefix for prefix in backends if name.startswith(prefix + "_")]
    if not fitting:
        return None, name
    prefix = max(fitting, key=len)
    return prefix, name[len(prefix) + 1 :]


def meaning_of(prefix: str | None) -> Meaning:
    """Return the meaning of names with this prefix."""
    return _OF_BACKENDS if prefix is None else PREFIXES.get(prefix, _OF_BACKENDS)


def meaning_of_name(name: object) -> Meaning:
    """Return the meaning of a full name by its prefix, whether or not there is such a backend."""
    return meaning_of(split_name(str(name), PREFIXES)[0])


def provider_and_model(name: str) -> tuple[str, str] | None:
    """Return the provider and the model that a full name contains; None if it contains none."""
    prefix, rest = split_name(name, PREFIXES)
    provider, _, model_id = rest.partition("/")
    return (
        (provider, model_id) if meaning_of(prefix).of_provider and provider and model_id else None
    )
