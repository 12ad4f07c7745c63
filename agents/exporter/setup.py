"""Read by the monolithic platform alone: `vctl install` runs `setup.py bdist_wheel`.

It unpacks the wheel without its dependencies: `pip install voltscope` in the platform's environment comes first.
"""

from setuptools import find_packages, setup

setup(
    name="voltscope-exporter",
    version="0.1.0",
    description="Exports a VOLTTRON platform's metrics to Prometheus",
    packages=find_packages("."),
    install_requires=["volttron", "voltscope~=0.1"],
    entry_points={"setuptools.installation": ["eggsecutable = voltscope_exporter.agent:main"]},
)
