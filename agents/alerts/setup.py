"""Read by the monolithic platform alone: `vctl install` runs `setup.py bdist_wheel`.

It unpacks the wheel without its dependencies: `pip install voltscope` in the platform's environment comes first.
"""

from setuptools import find_packages, setup

setup(
    name="voltscope-alerts",
    version="0.1.0",
    description="Alerts of a VOLTTRON platform to Alertmanager, and back to its bus",
    packages=find_packages("."),
    install_requires=["volttron", "voltscope~=0.1"],
    entry_points={"setuptools.installation": ["eggsecutable = voltscope_alerts.agent:main"]},
)
