"""How every form on a page is rendered: label, help, field and errors tied together."""

from django.forms.renderers import TemplatesSetting


class StrataRenderer(TemplatesSetting):
    """Render forms and fields with our own templates (templates/forms/)."""

    form_template_name = "forms/form.html"
    field_template_name = "forms/field.html"
