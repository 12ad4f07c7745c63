from setuptools import find_packages, setup

setup(
    name="volttron-busy-agent",
    version="0.1.0",
    packages=find_packages("."),
    install_requires=["volttron"],
    entry_points={"setuptools.installation": ["eggsecutable = busy_agent.agent:main"]},
)
