"""Routes that the configuration names, found by a path: as written there, and no others."""

from __future__ import annotations

import pytest

from mlmon_exporter.sources.templates import RouteTemplates

TEMPLATES = [
    "/predict",
    "/predict/{x}",
    "/predict/latest",
    "/v1/models/{name}:predict",
    "/v2/models/{name}/versions/{version:int}/infer",
    "/files/{rest:path}",
    "/a.b/{x}",
]


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/predict", "/predict"),
        ("/predict/", None),
        ("/predict/7", "/predict/{x}"),
        ("/predict/7/8", None),
        ("/predict/latest", "/predict/latest"),  # the exact one, whatever stands before it
        ("/predict/{x}", "/predict/{x}"),
        ("/Predict", None),
        ("/x/predict", None),
        ("/v1/models/iris:predict", "/v1/models/{name}:predict"),
        ("/v1/models/iris:explain", None),
        ("/v1/models/:predict", None),
        ("/v2/models/iris/versions/3/infer", "/v2/models/{name}/versions/{version:int}/infer"),
        ("/files/a/b.csv", "/files/{rest:path}"),
        ("/files/", "/files/{rest:path}"),
        ("/files", None),
        ("/a.b/\n", "/a.b/{x}"),
        ("/predict/7\n", "/predict/{x}"),
        ("/predict\n", None),
        ("/aXb/1", None),
        ("", None),
    ],
)
def test_a_path_has_the_template_that_it_fits_as_a_whole(path: str, template: str | None) -> None:
    assert RouteTemplates(TEMPLATES).find(path) == template


def test_of_several_the_first_is_found() -> None:
    assert RouteTemplates(["/{a}/x", "/x/{b}"]).find("/x/x") == "/{a}/x"
    assert RouteTemplates(["/x/{b}", "/{a}/x"]).find("/x/x") == "/x/{b}"


@pytest.mark.parametrize("template", ["/{", "/}", "/{}", "/{a b}", "/(", "/<int:x>", "/{a}/{a}"])
def test_a_template_of_another_spelling_is_at_least_itself(template: str) -> None:
    assert RouteTemplates([template]).find(template) == template


def test_without_templates_nothing_is_found() -> None:
    assert RouteTemplates().find("/predict") is None
