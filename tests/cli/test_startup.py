"""What starting costs: `--help` must not load what it does not need."""

import subprocess
import sys

HEAVY = ("pydantic", "git", "structlog", "ruamel", "asyncio", "rich", "watchfiles", "tenacity", "sqlite3")


def test_help_imports_no_heavy_library() -> None:
    script = (
        "import sys; from reconciler.cli.main import run; code = run(['--help']); "
        f"print([name for name in {HEAVY!r} if name in sys.modules], code, file=sys.stderr)"
    )

    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)

    assert done.stderr.strip() == "[] 0"
    assert "plan" in done.stdout


def test_what_drives_the_tools_of_a_system_is_loaded_when_such_a_host_is_met() -> None:
    script = (
        "import sys; from reconciler.controller.installed import installed_registry; "
        "registry = installed_registry(); loaded = lambda: 'providers.tools.vmadm' in sys.modules; before = loaded(); "
        "met = lambda system: [one.__name__ for provider in registry.providers for one in provider.backends(system)]; "
        "print(before, met('Linux'), loaded(), met('SunOS'), loaded())"
    )

    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)

    of_linux = ["LinuxBackend", "LibvirtMachines", "ZfsBackend", "LinuxZones"]
    of_illumos = ["IllumosBackend", "SmartosBackend", "SmartosMachines", "ZfsBackend", "SmartosZones"]
    assert done.stdout.strip() == f"False {of_linux} False {of_illumos} True"


def test_every_command_of_the_list_loads_and_explains_itself() -> None:
    from click.testing import CliRunner

    from reconciler.cli.main import _COMMANDS, cli

    for name, summary in _COMMANDS.items():
        result = CliRunner().invoke(cli, [name, "--help"])

        assert result.exit_code == 0, result.output
        assert len(summary) > 20
        assert "Usage:" in result.output
