#!/bin/sh
# Runs the controller on two emulated hosts, over a git repository made from desired-state/. Everything it makes is in
# .run/: remove that folder to begin anew.
set -eu
reconciler=$1
root=$(pwd)
repository=$root/.run/desired-state
state=$root/.run/state

if ! command -v git >/dev/null 2>&1; then
    echo "git is missing; remedy: apt-get install git" >&2
    exit 1
fi
if [ ! -e "$repository/.git/HEAD" ]; then
    # Made aside and renamed, so that an interrupted first run leaves nothing half-made.
    mkdir -p "$root/.run"
    rm -rf "$repository.new"
    git init -q -b main "$repository.new"
    cp -R "$root/desired-state/." "$repository.new/"
    git -C "$repository.new" config user.name demo
    git -C "$repository.new" config user.email demo@bakery.example
    git -C "$repository.new" config commit.gpgsign false
    git -C "$repository.new" add -A
    git -C "$repository.new" commit -q -m "the bakery's hosts"
    rm -rf "$repository"
    mv "$repository.new" "$repository"
fi
cat <<TEXT
Two emulated hosts, hv01 (SmartOS) and hv02 (OmniOS), follow the repository .run/desired-state.
When both are converged, try this in another terminal:

  sed -i 's/memory: 512MiB/memory: 1GiB/' .run/desired-state/hosts/hv01/guests/front.yaml
  git -C .run/desired-state commit -am 'more memory for the shop'

and see it converge here within a second. What somebody changes on a host by hand is put right within a minute:

  .venv/bin/reconciler emulate .run/bin --system smartos --state .run/state/hosts/hv01.sqlite
  (PATH=.run/bin:\$PATH; vmadm stop \$(vmadm lookup -1 alias=orders))
  .venv/bin/reconciler status --state .run/state

Ctrl-C ends the controller; make run goes on where it was.

TEXT
exec "$reconciler" run --repo "$repository" --state "$state"
