"""Which packages a wheel holds; all else is in pyproject.toml, which cannot both find packages and move one."""

from setuptools import find_namespace_packages, setup

setup(
    packages=[*find_namespace_packages(include=["mgld", "mgld.*"]), "mgld.assets"],
    package_dir={"mgld.assets": "assets"},
)
