"""Sizes of segments in templates."""

from django import template

from segments import sizes

register = template.Library()
register.filter("size_words", sizes.size_words)
