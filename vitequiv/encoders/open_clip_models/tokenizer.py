"""The tokenizer of an open_clip model: open_clip's own, or one of transformers made from files that hold no code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitequiv.encoders.checkpoints.held import Held
from vitequiv.encoders.checkpoints.own import own_file
from vitequiv.encoders.checkpoints.quiet import loading
from vitequiv.encoders.checkpoints.settings import Settings, words
from vitequiv.encoders.checkpoints.source import MOST_JSON, read_json
from vitequiv.encoders.checkpoints.staging import staged
from vitequiv.encoders.open_clip_models.settings import OpenClipSettings
from vitequiv.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

DATA_FILES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "sentencepiece.model",
    "tokenizer.model",
)
"""Vocabularies and rules, which are data."""

CONFIG, SPECIAL, ADDED = "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"

WANTED = (*DATA_FILES, CONFIG, SPECIAL, ADDED)
"""What is fetched of a tokenizer from the hub."""

CLASSES = words(
    "AlbertTokenizer BertTokenizer CamembertTokenizer CLIPTokenizer DebertaV2Tokenizer DistilBertTokenizer "
    "ElectraTokenizer GemmaTokenizer GPT2Tokenizer LlamaTokenizer M2M100Tokenizer MPNetTokenizer MT5Tokenizer "
    "NllbTokenizer PreTrainedTokenizer RobertaTokenizer SiglipTokenizer Siglip2Tokenizer T5Tokenizer TokenizersBackend "
    "XLMRobertaTokenizer"
)
"""Classes of transformers that read such files and nothing else, without the ending Fast."""

_NOT_READ = frozenset(("trust_remote_code", "local_files_only", "use_auth_token", "chat_template", "auto_map"))
_WORDS = frozenset(("padding_side", "truncation_side", "src_lang", "tgt_lang", "model_input_names", "backend"))
_TOKEN_LISTS = frozenset(("additional_special_tokens", "extra_special_tokens"))
_TOKEN_PARTS = words("content lstrip rstrip normalized single_word special __type")
_ENDLESS = "model_max_length"
"""Written as 1e30 where there is no limit."""


def open_clip_tokenizer(
    settings: OpenClipSettings, directory: Callable[[], Path], spec: str
) -> Callable[[Sequence[str]], Tensor]:
    """Make the tokenizer.

    Args:
        settings: What is read of the model's configuration.
        directory: Finds the directory of a tokenizer of transformers; called where one is wanted.
        spec: The encoder spec, for messages.

    Returns:
        Texts to tokens.

    Raises:
        ModelError: If there are no files, they lead elsewhere or name code, or the library cannot use them.
    """
    import open_clip

    length = settings.text.get("context_length", open_clip.tokenizer.DEFAULT_CONTEXT_LENGTH)
    if settings.tokenizer_name is None:
        with loading(f"The tokenizer of {spec}"):
            plain: Callable[[Sequence[str]], Tensor] = open_clip.tokenizer.SimpleTokenizer(
                context_length=length, **settings.tokenizer
            )
        return plain
    where = directory()
    with staged(_contents(where, spec), where) as folder, loading(f"The tokenizer of {spec}"):
        made: Callable[[Sequence[str]], Tensor] = open_clip.tokenizer.HFTokenizer(
            str(folder),
            context_length=length,
            tokenizer_mode=settings.text.get("tokenizer_mode"),
            trust_remote_code=False,
            local_files_only=True,
            **settings.tokenizer,
        )
    return made


def _contents(directory: Path, spec: str) -> dict[str, Mapping[str, Any] | Path]:
    contents: dict[str, Mapping[str, Any] | Path] = {}
    for name in DATA_FILES:
        file = own_file(directory, name, spec)
        if file is not None and file.stat().st_size > MOST_JSON:
            raise ModelError(
                f"The file {directory / name} of {spec} has more than {MOST_JSON >> 20} MiB, which no tokenizer needs: "
                "fetch it again."
            )
        if file is not None:
            contents[name] = file
    if not contents:
        raise ModelError(
            f"The tokenizer of {spec} is one of transformers, and the directory {directory} has none of its files, "
            f"such as {DATA_FILES[0]}: put them there. Images need none."
        )
    for name in (CONFIG, SPECIAL):
        if own_file(directory, name, spec):
            contents[name] = _tokenizer_settings(read_json(directory / name, spec), Settings(name, spec, Held({})))
    if own_file(directory, ADDED, spec):
        reader, added = Settings(ADDED, spec, Held({})), read_json(directory / ADDED, spec)
        contents[ADDED] = {token: number for token, number in added.items() if reader.is_plain(token, number)}
    if own_file(directory, "config.json", spec):  # it names the class where the tokenizer's own file does not
        model_type = read_json(directory / "config.json", spec).get("model_type")
        contents["config.json"] = {"model_type": model_type} if _has_safe_tokenizer(model_type) else {}
    return contents


def _has_safe_tokenizer(model_type: object) -> bool:
    from transformers.models.auto.tokenization_auto import TOKENIZER_MAPPING_NAMES

    named = TOKENIZER_MAPPING_NAMES.get(model_type) if isinstance(model_type, str) else None
    names = named if isinstance(named, tuple | list) else (named,)
    return all(name is None or name.removesuffix("Fast") in CLASSES for name in names) and named is not None


def _tokenizer_settings(content: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """Take from a tokenizer's settings what can lead nowhere: the class, the special tokens, and plain values."""
    taken: dict[str, Any] = {}
    for key, value in content.items():
        if key in _NOT_READ or key.startswith("_"):
            continue
        if key == "tokenizer_class" and value is not None:
            if not isinstance(value, str) or value.removesuffix("Fast") not in CLASSES:
                raise settings.refuse(key, value, f"and only {', '.join(sorted(CLASSES))} are made")
            taken[key] = value
        elif key.endswith("_token") and isinstance(value, str | dict):
            taken[key] = _token(key, value, settings)
        elif key in _TOKEN_LISTS and isinstance(value, list):
            taken[key] = [_token(key, item, settings) for item in value]
        elif key == "added_tokens_decoder" and isinstance(value, dict):
            taken[key] = {str(int(number)): _token(key, item, settings) for number, item in value.items()}
        elif key in _WORDS and isinstance(value, str | list):
            words = value if isinstance(value, list) else [value]
            taken[key] = [settings.word(key, word) for word in words] if words != [value] else words[0]
        elif (key == _ENDLESS and isinstance(value, int | float)) or settings.is_plain(key, value):
            taken[key] = value
    return taken


def _token(key: str, value: object, settings: Settings) -> str | dict[str, Any]:
    """A special token: its text, or the text with how it is found."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and isinstance(value.get("content"), str):
        return {
            name: item
            for name, item in value.items()
            if name in _TOKEN_PARTS and (isinstance(item, bool) or name in {"content", "__type"})
        }
    raise settings.refuse(key, value, "where a token is expected: correct it")
