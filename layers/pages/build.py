"""Build the layer of the libraries that pages load: their files alone, compressed, with their licences.

    python build.py <folder>     writes <folder>/page_libraries

`sam build` runs this by the Makefile beside it, the project's own builds by tools/build_layers.py.
"""

import gzip
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
FILES = (
    "flask_swagger_ui/dist/swagger-ui-bundle.js",
    "flask_swagger_ui/dist/swagger-ui.css",
    "uplot/static/uPlot.iife.js",
    "uplot/static/uPlot.min.css",
)
#: Each library's notice and licence. uPlot's own notice is the beginning of its file.
LICENCES = {
    "Swagger UI": "flask_swagger_ui/dist/LICENSE",
    "flask-swagger-ui, which carries Swagger UI": "flask_swagger_ui/LICENSE",
    "uplot-python, which carries uPlot": "uplot_python-*.dist-info/licenses/LICENSE",
}
UPLOT = "uPlot: Copyright (c) Leon Sorokin, under the MIT License, whose text stands below flask-swagger-ui"


def build(folder: Path) -> None:
    """Install the packages aside, and keep what pages load."""
    package = folder / "page_libraries"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('"""Files of libraries, as they are served."""\n')
    with tempfile.TemporaryDirectory() as installed:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        command += ["--no-deps", "--no-compile", "--only-binary=:all:", "--require-hashes"]
        command += ["--target", installed, "--requirement", str(HERE / "requirements.txt")]
        subprocess.run(command, check=True)  # noqa: S603, fixed words
        for name in FILES:
            _keep(package / Path(name).name, (Path(installed) / name).read_bytes())
        _keep(package / "licences.txt", _licences(Path(installed)).encode())


def _keep(path: Path, content: bytes) -> None:
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(content, 9, mtime=0))


def _licences(installed: Path) -> str:
    texts = [UPLOT]
    for title, pattern in LICENCES.items():
        (found,) = installed.glob(pattern)
        texts.append(f"{title}\n\n{found.read_text().strip()}")
    return f"\n\n{'-' * 80}\n\n".join(texts) + "\n"


if __name__ == "__main__":
    build(Path(sys.argv[1]))
