"""A numba that calls something by another name: every module of it is imported with the name changed."""

import importlib.machinery
import re
import sys


class _Loader(importlib.machinery.SourceFileLoader):
    names = ()

    def get_code(self, fullname):
        source = self.get_source(fullname)
        changed = re.sub(rf"\b({'|'.join(self.names)})\b", r"\1_of_another_numba", source)
        return super().get_code(fullname) if changed == source else compile(changed, self.path, "exec")


class _Finder(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        if fullname.partition(".")[0] != "numba":
            return None
        spec = super().find_spec(fullname, path, target)
        if spec is not None and type(spec.loader) is importlib.machinery.SourceFileLoader:
            spec.loader = _Loader(fullname, spec.loader.path)
        return spec


def rename(names):
    """Have numba, which must not be loaded yet, call these by other names."""
    _Loader.names = names
    sys.meta_path.insert(0, _Finder)
