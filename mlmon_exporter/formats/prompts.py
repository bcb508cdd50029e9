"""Prompts of language models: counted, never kept, and so never read as features."""

from __future__ import annotations

from typing import Any

MAX_LEVELS = 8
TEXTS = ("text", "content", "input_text", "output_text", "output", "arguments", "refusal")
"""Keys of an item that hold its text, or items that do."""
PICTURES = ("image_url", "input_image", "image")
"""Types of an item that is a picture."""


def holds_prompt(body: Any) -> bool:
    """Return whether a request asks a language model: by `messages`, or a `prompt` of text."""
    if type(body) is not dict:
        return False
    if "messages" in body and (are_messages(body["messages"]) or are_texts(body["messages"])):
        return True
    return "prompt" in body and are_texts(body["prompt"])


def are_messages(value: Any) -> bool:
    """Return whether this is a list of messages: objects with a `role`."""
    return type(value) is list and any(type(item) is dict and "role" in item for item in value)


def are_texts(value: Any) -> bool:
    """Return whether this is a text, or a list that starts with one."""
    return type(value) is str or (type(value) is list and len(value) > 0 and type(value[0]) is str)


def characters(value: Any, levels: int = MAX_LEVELS) -> int:
    """Return how many characters there are in a text, or in the texts of messages and items."""
    if type(value) is str:
        return len(value)
    if not levels:
        return 0
    if type(value) is list:
        return sum(characters(item, levels - 1) for item in value)
    if type(value) is dict:
        return sum(characters(value[key], levels - 1) for key in TEXTS if key in value)
    return 0


def pictures(value: Any, levels: int = MAX_LEVELS) -> int:
    """Return how many pictures there are in messages and items: by address, or within."""
    if not levels:
        return 0
    if type(value) is list:
        return sum(pictures(item, levels - 1) for item in value)
    if type(value) is not dict:
        return 0
    is_picture = value.get("type") in PICTURES
    return int(is_picture) or pictures(value.get("content"), levels - 1)
