"""Request bodies of the REST API, read as strictly as those of the hot paths."""

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.parsers import JSONParser

from core import strict_json


class StrictJsonParser(JSONParser):
    """JSON without duplicate keys, NaN, NUL, lone surrogates, deep nesting or more than 1 MB."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        return strict_json.loads(stream.read(strict_json.MAX_BYTES + 1))
