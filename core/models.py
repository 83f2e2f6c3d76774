"""Base models every app builds on."""

from typing import Any, ClassVar

from django.db import models

from core.ids import new_id


class PublicModel(models.Model):
    """A row that people and programs name by a prefixed public id."""

    ID_PREFIX: ClassVar[str]

    public_id = models.CharField(max_length=40, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.public_id:
            self.public_id = new_id(self.ID_PREFIX)
