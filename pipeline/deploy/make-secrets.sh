#!/bin/sh
# Makes the passwords that docker-compose.yml mounts, where they are missing: ./secrets, which git ignores, one file each.
set -eu
cd "$(dirname "$0")/../.."
# Only you may look into the folder; within it the services' own users must be able to read what is mounted for them.
mkdir -p secrets
chmod 700 secrets
for name in clickhouse_password clickhouse_reader_password grafana_admin_password webhook_secret; do
  file=secrets/$name
  if [ -s "$file" ]; then continue; fi
  od -An -N24 -tx1 /dev/urandom | tr -d ' \n' >"$file"
  chmod 444 "$file"
  echo "made $file"
done
