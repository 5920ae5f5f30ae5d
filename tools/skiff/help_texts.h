// The longer texts of --help: what a command does beyond its first line, and examples.
#pragma once

namespace skiff::tools {

inline constexpr const char* kProgramHelp =
    "skiff runs ECS task definitions and OCI images on this host, as Fargate would.";

inline constexpr const char* kProgramFooter =
    "Examples:\n"
    "  skiff doctor                          what this host has and what is missing\n"
    "  skiff image import nginx.tar          an OCI or docker archive, or an OCI layout\n"
    "  skiff run web.json                    a task definition, in the foreground\n"
    "  skiff run busybox -- echo hello       one container of an image\n"
    "  skiff run -d web.json && skiff ps     in the background\n"
    "\n"
    "Environment:\n"
    "  SKIFF_DATA_ROOT, SKIFF_RUN_ROOT       as --data-root and --run-root\n"
    "  NO_COLOR                              no colours, whatever the terminal\n"
    "\n";

inline constexpr const char* kImportFooter =
    "PATH is an OCI layout directory, an oci-archive or a docker-archive (plain, gzip, zstd).\n"
    "Digests and diff ids are verified; after an error the store is as it was.\n"
    "\n"
    "Examples:\n"
    "  skiff image import build/nginx --name nginx:1.22\n"
    "  skiff image import app.tar --platform linux/arm64";

inline constexpr const char* kPullFooter =
    "Digests, lengths and diff ids are verified while the layers are unpacked; what the store has\n"
    "is not fetched again; a connection that breaks is taken up where it broke. Registries, "
    "mirrors\n"
    "and authorities: /etc/skiff/registries.json (SKIFF_REGISTRIES); certificates:\n"
    "/etc/skiff/certs.d/HOST[:PORT] and those of docker and podman. Credentials: "
    "REGISTRY_AUTH_FILE,\n"
    "docker's config.json (DOCKER_CONFIG), podman's auth.json. Proxies: HTTPS_PROXY, HTTP_PROXY,\n"
    "NO_PROXY. Redirects from outside lead to no address of this host or of a private network\n"
    "(leadsTo of registries.json allows more). Foreign layers are refused unless foreignLayers of\n"
    "registries.json is true for the registry.\n"
    "\n"
    "Examples:\n"
    "  skiff image pull nginx:1.25\n"
    "  skiff image pull --tls-verify=false localhost:5000/app@sha256:...\n"
    "  skiff image pull --platform linux/arm64 --quiet alpine";

inline constexpr const char* kPushFooter =
    "Manifest, configuration and layers are sent byte for byte as they came, so that digests stay\n"
    "what they are; what the registry has, in a repository of the image's other names as well, is\n"
    "not sent again. Settings and credentials: see pull.\n"
    "\n"
    "Examples:\n"
    "  skiff image push registry.local:5000/team/app:1\n"
    "  skiff image push --tls-verify=false nginx localhost:5000/nginx:1";

inline constexpr const char* kExportFooter =
    "An OCI archive or layout holds the image byte for byte as it came; a docker-archive holds "
    "its\n"
    "layers uncompressed. Images asked for by name keep it, several may go into one file.\n"
    "\n"
    "Examples:\n"
    "  skiff image export nginx -o nginx.tar\n"
    "  skiff image export --format oci -o layout nginx redis\n"
    "  skiff image save nginx | docker load";

inline constexpr const char* kTagFooter = "Example:\n  skiff image tag nginx registry.local/web:1";

inline constexpr const char* kVerifyFooter =
    "Manifests, configurations and kept files against their digests; layers against the list that\n"
    "was made when they were unpacked: every name, kind, owner, mode, size, time and content. The\n"
    "exit status is 1 when something is damaged and not repaired. Running tasks keep what they "
    "have.\n"
    "\n"
    "Examples:\n"
    "  skiff image verify\n"
    "  skiff image verify --repair nginx";

inline constexpr const char* kDuFooter =
    "SHARED is what other images have as well, OWN what the image's removal frees, of both its\n"
    "layers and the layers' files as they came (KEPT).\n"
    "\n"
    "Example:\n"
    "  skiff image du --json";

inline constexpr const char* kPruneFooter =
    "Without --all: images that have lost their name to another. What a task uses stays, always.\n"
    "\n"
    "Examples:\n"
    "  skiff image prune\n"
    "  skiff image prune --all --until 7d\n"
    "  skiff image prune --all --filter label=stage=test --dry-run\n"
    "  skiff image prune --layer-files";

inline constexpr const char* kLoginFooter =
    "The password is read from standard input, without echo at a terminal, and kept in docker's\n"
    "config.json or by the credential helper that file names, once the registry has accepted it.\n"
    "\n"
    "Example:\n"
    "  skiff login -u deploy registry.example.com < password.txt";

inline constexpr const char* kRunFooter =
    "TARGET is a task definition when it ends in .json or is an existing file, otherwise an "
    "image.\n"
    "The command follows after --. Flags that describe the container (--env, --user, --workdir,\n"
    "--entrypoint, --cpu, --memory, --read-only, --ulimit) are for images: a task definition says\n"
    "these itself.\n"
    "\n"
    "In the foreground the logs of all containers are printed, each line with its container's "
    "name\n"
    "unless TARGET is an image. SIGINT and SIGTERM stop the task, a second one kills it; other\n"
    "signals reach the containers. The task's record is removed at the end unless --keep is "
    "given.\n"
    "Images that the store lacks are pulled first; --pull always or never says otherwise.\n"
    "\n"
    "Examples:\n"
    "  skiff run web.json\n"
    "  skiff run -d -p 8080:80 nginx\n"
    "  skiff run --memory 128m --cpu 256 busybox -- sh -c 'echo $HOSTNAME'\n"
    "  skiff run --network none -e GREETING=hello busybox -- env\n"
    "  skiff run --isolation seccomp=web-seccomp.json,caps=none,nnp=on nginx\n"
    "\n"
    "--isolation takes seccomp=default|none|FILE, caps=default|none|all|NAME+NAME..., nnp=on|off,\n"
    "masked-paths=on|off, userns=on|off, landlock=on|off, pidns=private|shared. skiff explain "
    "shows\n"
    "what comes of it.";

inline constexpr const char* kExplainFooter =
    "Makes the plan that skiff run would carry out, and prints it: process, namespaces, rights,\n"
    "limits, files. Nothing is started. What stands in brackets is the rule: a member of the task\n"
    "definition, a flag, the image, or skiff's default.\n"
    "\n"
    "Examples:\n"
    "  skiff explain web.json\n"
    "  skiff explain --json --isolation seccomp=none,caps=none nginx";

inline constexpr const char* kTraceFooter =
    "Runs TARGET as skiff run does in the foreground, under its usual confinement, and collects "
    "the\n"
    "system calls of all containers: let them do all that they will ever do. The profile allows "
    "just\n"
    "these, in OCI's JSON. Every call takes longer while it is collected.\n"
    "\n"
    "Example:\n"
    "  skiff trace-syscalls -o nginx-seccomp.json nginx\n"
    "  skiff run --isolation seccomp=nginx-seccomp.json nginx";

inline constexpr const char* kPsFooter =
    "Examples:\n"
    "  skiff ps\n"
    "  skiff ps --all --json\n"
    "  skiff stop $(skiff ps --quiet)";

inline constexpr const char* kEventsFooter =
    "First the present state of every task that is active on the daemon, then every change of "
    "one,\n"
    "until skiffd ends. --json prints the events as EventBridge has them, one a line. Tasks of\n"
    "skiff run have no events: they are not the daemon's.\n"
    "\n"
    "Examples:\n"
    "  skiff events\n"
    "  skiff events --json | jq .detail.lastStatus";

inline constexpr const char* kLogsFooter =
    "TASK is an id or at least four digits of one. Standard output goes to standard output and\n"
    "standard error to standard error.\n"
    "\n"
    "Examples:\n"
    "  skiff logs 3f2a web\n"
    "  skiff logs -f --since 5m --timestamps 3f2a\n"
    "  skiff logs --tail 100 3f2a\n"
    "  skiff logs --json 3f2a | jq -r .message";

inline constexpr const char* kStopFooter =
    "Each container gets its stop signal, and SIGKILL after its stopTimeout (30 s) or --timeout.\n"
    "Returns when nothing of the task runs any more.\n"
    "\n"
    "Examples:\n"
    "  skiff stop 3f2a 9c01\n"
    "  skiff stop --timeout 0 --reason 'maintenance' 3f2a";

inline constexpr const char* kRemoveFooter =
    "Removes the record of stopped tasks: definition, events, logs. With --force a task that runs\n"
    "is stopped first.\n"
    "\n"
    "Example:\n"
    "  skiff rm --force 3f2a 9c01";

inline constexpr const char* kInspectFooter =
    "One JSON document: the task as ECS describes it, with its limits, what enforces them, its\n"
    "cgroups, the volumes of its images, warnings and the steps of its start. --latency prints\n"
    "the steps as a table.\n"
    "\n"
    "Examples:\n"
    "  skiff inspect 3f2a\n"
    "  skiff inspect --latency 3f2a";

inline constexpr const char* kCompletionFooter =
    "Commands, flags and the ids of tasks are completed.\n"
    "\n"
    "Examples:\n"
    "  skiff completion bash >/etc/bash_completion.d/skiff\n"
    "  skiff completion zsh >>~/.zshrc\n"
    "  skiff completion fish >~/.config/fish/completions/skiff.fish";

inline constexpr const char* kDoctorFooter =
    "Each check is ok, warn or MISSING, with what to do about it. Nothing on the host is changed.\n"
    "Exits with 69 when something that skiff cannot do without is missing.\n"
    "\n"
    "Example:\n"
    "  skiff doctor --json";

}  // namespace skiff::tools
