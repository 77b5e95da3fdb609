"""Build what is deployed: .build/deploy with the template, every function and every layer, compiled.

    make package && sam deploy --template-file .build/deploy/template.yaml --config-env prod

`sam build` makes the same without compiled code and without a release. A change of only layers or parameters
then has no effect, because SAM publishes no new version of the functions. Compiling needs Python 3.13, as
Lambda runs it. Another Python is refused, unless --sources allows functions to compile at each cold start.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tools.build_layers import LAMBDA, build_function, build_layers

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / ".build" / "deploy"


def package(deploy: Path = DEPLOY) -> Path:
    """Write the folder again and return its template."""
    shutil.rmtree(deploy, ignore_errors=True)
    for name, folder in build_layers(LAMBDA).items():
        shutil.copytree(folder, deploy / "layers" / name)
    for app in sorted((ROOT / "functions").glob("*/app.py")):
        build_function(app.parent, deploy / "functions" / app.parent.name, LAMBDA)
    template = deploy / "template.yaml"
    release = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    template.write_text(built_template((ROOT / "template.yaml").read_text(), release))
    shutil.copy(ROOT / "samconfig.toml", deploy)  # `sam deploy` looks for its settings beside the template
    return template


def built_template(template: str, release: str) -> str:
    """Return the template of a release. Its folders are built: `sam deploy` zips them as they are."""
    unbuilt = re.sub(r"^ +Metadata: \{BuildMethod: [^\n]*\}\n", "", template, flags=re.MULTILINE)
    return re.sub(r"^( +RELEASE:) none$", rf'\1 "{release}"', unbuilt, flags=re.MULTILINE)


def main(given: Sequence[str] | None = None) -> int:
    """Build the folder."""
    parser = argparse.ArgumentParser(prog="python -m tools.package", description=__doc__)
    parser.add_argument("--sources", action="store_true", help="without compiled code, by any Python")
    arguments = parser.parse_args(given)
    if not LAMBDA.is_running_version and not arguments.sources:
        print(f"Run this with Python {LAMBDA.python} (make package does), or with --sources", file=sys.stderr)
        return 1
    print(package().relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
