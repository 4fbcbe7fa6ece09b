"""What people meet before the code: extras, citation, workflows, container, templates."""

from __future__ import annotations

import importlib
import importlib.util
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import pysces
from pysces import doctor

ROOT = Path(__file__).resolve().parent.parent
if not (ROOT / "CITATION.cff").exists():
    pytest.skip("the tests lie apart from the checkout", allow_module_level=True)

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
# Versions of actions that exist; another one is looked up before it is written here.
ACTIONS = {
    "actions/checkout": "v4",
    "actions/setup-python": "v5",
    "actions/upload-artifact": "v4",
    "actions/download-artifact": "v4",
    "docker/build-push-action": "v6",
    "docker/setup-buildx-action": "v3",
    "pypa/gh-action-pypi-publish": "release/v1",
}


def load(path: Path) -> Any:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")

    class Strict(yaml.SafeLoader):
        """Refuses keys that repeat, which YAML forbids and PyYAML lets pass."""

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            keys = [self.construct_object(key, deep=True) for key, _ in node.value]
            assert len(keys) == len(set(keys)), f"{path.name}: a key repeats among {keys}"
            return super().construct_mapping(node, deep)

    return yaml.load(path.read_text(), Strict)


YAML = sorted(
    path
    for pattern in (".github/**/*.yml", ".github/**/*.yaml", ".*.yaml", ".*.yml", "*.cff")
    for path in ROOT.glob(pattern)
)
WORKFLOWS = [path for path in YAML if path.parent.name == "workflows"]
FORMS = [path for path in YAML if path.parent.name == "ISSUE_TEMPLATE"]


@pytest.mark.parametrize("path", YAML, ids=lambda p: p.name)
def test_yaml_parses(path: Path) -> None:
    assert isinstance(load(path), dict)


def test_all_files_are_there() -> None:
    names = {path.name for path in YAML}
    assert {"test.yml", "docker.yml", "release.yml", ".pre-commit-config.yaml"} <= names
    assert {"bug.yml", "idea.yml", "method.yml", "config.yml", "CITATION.cff"} <= names
    for name in ("CONTRIBUTING.md", ".github/PULL_REQUEST_TEMPLATE.md", "Dockerfile", "LICENSE"):
        assert (ROOT / name).is_file(), name


# --- pyproject ----------------------------------------------------------------------------------


def test_every_extra_says_what_it_is_for() -> None:
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    for extra in EXTRAS:
        at = next(i for i, line in enumerate(lines) if line.startswith(f"{extra} = ["))
        assert lines[at - 1].startswith("# "), extra
        assert not lines[at - 2].startswith("#"), f"{extra}: one line"


def test_extras_name_each_other_and_packages() -> None:
    for extra, needed in EXTRAS.items():
        assert needed, extra
        for requirement in needed:
            if match := re.match(r"pysces-grn\[([\w,]+)\]", requirement):
                assert set(match[1].split(",")) <= set(EXTRAS), extra
            else:
                assert re.match(r"[A-Za-z][\w.-]*(\[\w+\])?([>=]=|$)", requirement), requirement
    assert {"cuda", "dask", "demo", "igraph", "mlx", "mudata", "network", "plot"} <= set(EXTRAS)


def test_doctor_offers_extras_that_exist() -> None:
    for package, extra in doctor.OPTIONAL.items():
        assert extra in EXTRAS
        text = " ".join(EXTRAS[extra])
        assert package in text, f"the extra {extra!r} doesn't bring {package}"


# --- citation -----------------------------------------------------------------------------------


def test_citation_is_valid_and_names_nobody_who_is_not() -> None:
    citation = load(ROOT / "CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == pysces.__version__
    assert citation["license"] == PROJECT["license"]
    assert citation["authors"] == PROJECT["authors"]
    allowed = {"cff-version", "message", "type", "title", "abstract", "authors", "version"}
    assert set(citation) <= allowed | {"license", "keywords", "references", "date-released"}
    for reference in citation["references"]:
        assert {"type", "title", "authors"} <= set(reference)
        assert re.fullmatch(r"10\.\d{4,}/\S+", reference["doi"])
        assert isinstance(reference["year"], int)


@pytest.mark.filterwarnings("ignore")
def test_citation_as_cffconvert_sees_it() -> None:
    cffconvert = pytest.importorskip("cffconvert", reason="cffconvert is not installed")
    cffconvert.Citation((ROOT / "CITATION.cff").read_text()).validate()


# --- workflows ----------------------------------------------------------------------------------


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in load(path)["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.name)
def test_workflows_are_sound(path: Path) -> None:
    flow = load(path)
    assert flow["name"]
    assert True in flow or "on" in flow  # YAML 1.1 takes the key `on` for true
    assert flow["permissions"] == {"contents": "read"}
    for name, job in flow["jobs"].items():
        assert job["runs-on"], name
        assert job["timeout-minutes"] <= 60, name
        needs = job.get("needs", [])
        assert set([needs] if isinstance(needs, str) else needs) <= set(flow["jobs"]), name
    for step in steps(path):
        assert ("uses" in step) != ("run" in step), step
        if "uses" in step:
            action, _, version = step["uses"].partition("@")
            assert ACTIONS[action] == version, step
        for script in re.findall(r"(?:python|bash) ((?:tests|\.ci)/\S+)", step.get("run", "")):
            assert (ROOT / script).is_file(), script


def test_release_builds_once_and_publishes_what_was_tested() -> None:
    flow = load(ROOT / ".github/workflows/release.yml")
    publish = flow["jobs"]["publish"]
    assert set(publish["needs"]) == {"build", "test"}
    assert publish["environment"] == "pypi"
    assert publish["permissions"] == {"id-token": "write"}
    uses = [step.get("uses", "") for step in publish["steps"]]
    assert uses[0].startswith("actions/download-artifact")
    assert uses[-1].startswith("pypa/gh-action-pypi-publish")
    builds = " ".join(step.get("run", "") for step in steps(ROOT / ".github/workflows/release.yml"))
    assert builds.count("python -m build") == 1
    for check in ("twine check --strict", "check_distributions.py dist --tag", "pytest"):
        assert check in builds
    assert "secrets." not in (ROOT / ".github/workflows/release.yml").read_text()


def test_scripts_of_ci_do_not_pipe_into_a_program_that_stops_early() -> None:
    text = (ROOT / ".ci" / "run").read_text()
    assert "set -euo pipefail" in text
    assert not re.search(r"\|\s*(grep\s+-\w*[qm]|head)\b", text)  # a SIGPIPE fails the step
    assert "twine check --strict" in text
    assert "check_distributions.py" in text


# --- container ----------------------------------------------------------------------------------


def test_container_has_the_targets_that_the_workflow_builds() -> None:
    text = (ROOT / "Dockerfile").read_text()
    stages = re.findall(r"^FROM \S+ AS (\w+)$", text, flags=re.M)
    matrix = load(ROOT / ".github/workflows/docker.yml")["jobs"]["image"]["strategy"]["matrix"]
    assert matrix["target"] == ["cpu", "cuda"]
    assert set(matrix["target"]) <= set(stages)
    lines = text.splitlines()
    copied = {
        name
        for line in lines
        if line.startswith("COPY") and "--from" not in line
        for name in line.split()[1:-1]
    }
    assert all((ROOT / name).exists() for name in copied)
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {line[1:] for line in ignored if line.startswith("!")} == copied
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    assert set(wheel["targets"]["wheel"]["only-include"]) <= copied
    for extras in re.findall(r"\[([a-z,]+)\]\"", text):
        assert set(extras.split(",")) <= set(EXTRAS)
    for stage in re.split(r"^FROM \S+ AS ", text, flags=re.M)[1:]:
        users = re.findall(r"^USER (\w+)$", stage, flags=re.M)
        if stage.partition("\n")[0] in matrix["target"]:
            assert users, "a target runs as a user of its own"
            assert users[-1] != "root"


# --- conda, package hosts -----------------------------------------------------------------------


def test_conda_recipe_is_that_of_pyproject() -> None:
    recipe = load(ROOT / "docs" / "conda" / "recipe.yaml")
    assert recipe["context"]["version"] == pysces.__version__
    assert recipe["package"]["name"] == PROJECT["name"]
    assert recipe["source"] == {"git": "../..", "tag": "v${{ version }}"}
    everywhere = [need.replace(">=", " >=") for need in PROJECT["dependencies"] if ";" not in need]
    python = f"python {PROJECT['requires-python']}"
    assert sorted(recipe["requirements"]["run"]) == sorted([python, *everywhere])
    assert recipe["build"]["python"]["entry_points"] == [
        f"{name} = {where}" for name, where in PROJECT["scripts"].items()
    ]
    assert recipe["about"]["license"] == PROJECT["license"]


def test_conda_recipe_as_rattler_sees_it() -> None:
    rattler = pytest.importorskip("rattler_build", reason="py-rattler-build is not installed")
    recipe = rattler.Stage0Recipe.from_file(ROOT / "docs" / "conda" / "recipe.yaml")
    (variant,) = recipe.render(rattler.VariantConfig())
    rendered = variant.recipe.to_dict()
    assert rendered["package"] == {"name": PROJECT["name"], "version": pysces.__version__}
    assert rendered["source"] == [{"git": "../..", "rev": f"refs/tags/v{pysces.__version__}"}]


def test_no_package_host_is_named() -> None:
    hosts = re.compile(
        r"pypi\.org|pythonhosted|pypi\.python|conda[-]forge|anaconda\.(org|com)|prefix\.dev"
        r"|bioconda|cran\.r-project|bioconductor\.org"
    )
    folders = ("pysces", "kernels", "tests", "benchmarks", "docs", ".github", ".ci")
    files = [p for folder in folders for p in (ROOT / folder).rglob("*") if "_build" not in p.parts]
    files += [*ROOT.glob("*.*"), ROOT / "Dockerfile"]
    text = {".py", ".md", ".yml", ".yaml", ".toml", ".txt", ".cff", ".html", ".css", ".bib", ""}
    named = [
        path
        for path in files
        if path.is_file() and path.suffix in text
        if hosts.search(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert named == [Path(__file__)]  # by the pattern above


def test_changelog_begins_with_this_version() -> None:
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), flags=re.M)
    assert headings[0] == pysces.__version__


# --- templates, hooks ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", [path for path in FORMS if path.name != "config.yml"], ids=lambda p: p.name
)
def test_forms_ask_questions(path: Path) -> None:
    form = load(path)
    assert form["name"]
    assert form["description"]
    ids = [field["id"] for field in form["body"]]
    assert len(ids) == len(set(ids))
    for field in form["body"]:
        assert field["type"] in {"textarea", "input", "dropdown", "checkboxes"}
        assert field["attributes"]["label"]
    assert any(field.get("validations", {}).get("required") for field in form["body"])


def test_hooks_run_what_is_installed() -> None:
    config = load(ROOT / ".pre-commit-config.yaml")
    assert [repo["repo"] for repo in config["repos"]] == ["local"]
    hooks = config["repos"][0]["hooks"]
    assert [hook["id"] for hook in hooks] == ["ruff", "ruff-format", "mypy"]
    programs = {hook["entry"].split()[0] for hook in hooks}
    assert {hook["language"] for hook in hooks} == {"system"}
    assert all(any(need.startswith(name) for need in EXTRAS["lint"]) for name in programs)


def test_contributing_names_files_that_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    paths = re.findall(r"`((?:pysces|kernels|tests|\.ci)/[\w/.-]*)`", text)
    assert len(paths) > 5
    assert not [path for path in paths if not (ROOT / path).exists()]
    rooms = re.findall(r"^  (\w+(?:\.py|/))", text, flags=re.M)
    assert len(rooms) >= 5
    assert not [room for room in rooms if not (ROOT / "pysces" / room).exists()]


# --- distributions ------------------------------------------------------------------------------


def checker() -> Any:
    path = Path(__file__).parent / "check_distributions.py"
    spec = importlib.util.spec_from_file_location("check_distributions", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def in_checkout() -> list[str]:
    folders = ("pysces", "kernels")
    files = [p for folder in folders for p in (ROOT / folder).rglob("*") if p.is_file()]
    return [str(p.relative_to(ROOT)) for p in files if "__pycache__" not in p.parts]


def test_check_of_distributions_sees_what_is_missing_and_what_is_too_much() -> None:
    check = checker()
    sources = [*in_checkout(), *(n for n in check.IN_SDIST if n != "pysces/py.typed")]
    assert check.faults_of_sdist(sources) == []
    wheel = [n if n.startswith("pysces/") else f"pysces/{n}" for n in in_checkout()]
    wheel += [f"pysces_grn-{pysces.__version__}.dist-info/{name}" for name in check.IN_DIST_INFO]
    assert check.faults_of_wheel(wheel, sources) == []
    for lost in (
        "py.typed",
        "data/regulators_mouse.tsv",
        "kernels/mlx/mi.py",
        "kernels/numba/_jit.py",
    ):
        assert check.faults_of_wheel([n for n in wheel if n != f"pysces/{lost}"], sources), lost
    for name in (n for n in wheel if "dist-info" in n):
        assert check.faults_of_wheel([n for n in wheel if n != name], sources), name
    for extra in ("tests/conftest.py", "kernels/__init__.py", "benchmarks/speed/run.py"):
        assert check.faults_of_wheel([*wheel, extra], sources) == [
            f"wheel: {extra} must not be there"
        ]
    for name in check.IN_SDIST:
        assert check.faults_of_sdist([n for n in sources if n != name]) == [
            f"sdist: {name} is missing"
        ]
    assert check.faults_of_sdist([*sources, "pysces/__pycache__/x.pyc"])


def test_check_of_distributions_wants_one_of_each(tmp_path: Path) -> None:
    assert "0 wheels and 0 sdists" in checker().faults(tmp_path)[0]
