"""What is said of the machine: whatever is installed."""

from importlib import metadata

from pixelrnn.training import environment


def test_packages_of_other_extras_may_be_missing(monkeypatch):
    found = metadata.version

    def without(package):
        if package == "imagecodecs":
            raise metadata.PackageNotFoundError(package)
        return found(package)

    monkeypatch.setattr(metadata, "version", without)
    packages = environment.environment()["packages"]
    assert "torch" in packages
    assert "imagecodecs" not in packages
