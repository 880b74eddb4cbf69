"""A virtual environment, and a package with a program in it, installed from a folder of wheels."""

import base64
import hashlib
import os
import pathlib
import subprocess
import sys
import zipfile

wheels = pathlib.Path("wheels")
wheels.mkdir()
info = "trial_package-1.0.dist-info"
files = {
    "trial_package.py": "def main():\n    print('installed and run')\n",
    f"{info}/METADATA": "Metadata-Version: 2.1\nName: trial-package\nVersion: 1.0\n",
    f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    f"{info}/entry_points.txt": "[console_scripts]\ntrial = trial_package:main\n",
}
record = ""
for name, text in files.items():
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
    record += f"{name},sha256={digest},{len(text)}\n"
files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
with zipfile.ZipFile(wheels / "trial_package-1.0-py3-none-any.whl", "w") as wheel:
    for name, text in files.items():
        wheel.writestr(name, text)

subprocess.run([sys.executable, "-m", "venv", "env"], check=True)
command = ["env/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
subprocess.run([*command, "--find-links", "wheels", "trial-package"], check=True)
done = subprocess.run([os.path.abspath("env/bin/trial")], capture_output=True, text=True, check=True)
assert done.stdout == "installed and run\n", done
print("all passed")
