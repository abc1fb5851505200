"""Class names into sentences, for zero-shot classification (Radford et al. 2021, section 3.1.4)."""

from __future__ import annotations

from collections.abc import Sequence

from vitequiv.errors import UsageError

PLACE = "{}"
DEFAULT_TEMPLATE = "a photo of a {}."
"""CLIP's own; the embedded model was trained on such captions as well (its tokenizer ignores the full stop)."""
ARTICLES = ("a ", "an ", "the ")


def check_templates(templates: Sequence[str]) -> None:
    """Make sure that each template has a place for the class.

    Args:
        templates: The templates.

    Raises:
        UsageError: If one has no `{}`.
    """
    for template in templates:
        if PLACE not in template:
            raise UsageError(
                f"The template {template!r} has no place for the class: write {PLACE} there, as in 'a photo of a {{}}'."
            )


def prompts(labels: Sequence[str], templates: Sequence[str]) -> list[list[str]]:
    """Put class names into templates.

    Args:
        labels: The C class names.
        templates: The templates; none for the default one, which drops its article where a name brings its own.

    Returns:
        C lists, each with a sentence a template.
    """
    if templates:
        return [[template.replace(PLACE, label) for template in templates] for label in labels]
    bare = DEFAULT_TEMPLATE.replace(f"a {PLACE}", PLACE)
    return [
        [(bare if label.lower().startswith(ARTICLES) else DEFAULT_TEMPLATE).replace(PLACE, label)] for label in labels
    ]
