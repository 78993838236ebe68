"""A loopback device of our own that loses packets, resets connections and cuts links.

`enter` starts the calling program again in a network namespace (`unshare -rn`, which needs no
root); there BadNetwork makes faults by nftables. Nothing outside of it notices.
"""

import os
import shutil
import subprocess
import sys

INSIDE = "ANTIPHON_BAD_NETWORK"


def enter():
    """Returns in the namespace; says why there is none if it cannot be had."""
    if os.environ.get(INSIDE):
        return None
    missing = [name for name in ("unshare", "ip", "nft") if shutil.which(name, path=search_path())
               is None]
    if missing:
        return f"there is no {' and no '.join(missing)}; launch/install_deps brings them"
    lonely = ["unshare", "--map-root-user", "--net"]
    inside = "ip link set lo up && nft list ruleset >/dev/null"
    env = {**os.environ, INSIDE: "1", "PATH": search_path()}
    tried = subprocess.run([*lonely, "sh", "-c", inside], env=env, capture_output=True, text=True,
                           check=False)
    if tried.returncode != 0:
        return f"no network namespace of our own: {tried.stderr.strip()}"
    os.execvpe("unshare", [*lonely, "sh", "-c", inside + ' && exec "$@"', "sh", sys.executable,
                           *sys.argv], env)


def search_path():
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


class BadNetwork:
    def lose(self, per_cent):
        """Of all packets."""
        self._rule(f"meta l4proto tcp numgen random mod 100 < {per_cent} drop")

    def reset(self, per_mille):
        """So many packets end their connection instead."""
        self._rule("tcp flags & (syn | rst) == 0 "
                   f"numgen random mod 1000 < {per_mille} reject with tcp reset")

    def cut(self, ports, there=True, back=True):
        """What goes to these ports is lost, what comes from them, or both."""
        numbers = ", ".join(map(str, ports))
        if there:
            self._rule(f"tcp dport {{ {numbers} }} drop")
        if back:
            self._rule(f"tcp sport {{ {numbers} }} drop")

    def heal(self):
        self._nft("flush ruleset")

    def _rule(self, rule):
        self._nft("table inet bad {\n chain arriving {\n  type filter hook input priority 0;\n"
                  f"  policy accept;\n  {rule}\n }}\n}}\n")

    @staticmethod
    def _nft(script):
        subprocess.run(["nft", "-f", "-"], input=script, text=True, check=True)
