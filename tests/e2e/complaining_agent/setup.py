from setuptools import find_packages, setup

setup(
    name="volttron-complaining-agent",
    version="0.1.0",
    packages=find_packages("."),
    install_requires=["volttron"],
    entry_points={"setuptools.installation": ["eggsecutable = complaining_agent.agent:main"]},
)
