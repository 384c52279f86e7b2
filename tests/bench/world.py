"""A large commons' user.yaml, the same at every call."""

import random

PROGRAMS = 40
GROUPS = 100
CLIENTS = 20
FIXED = ("open", "data_file", "workspace", "mds_gateway")
ROLES = {
    "administrator": [("*", "*")],
    "reader": [("peregrine", "read"), ("guppy", "read"), ("sheepdog", "read"), ("fence", "read-storage")],
    "creator": [("sheepdog", "create"), ("indexd", "create"), ("fence", "create")],
    "updater": [("sheepdog", "update"), ("indexd", "update"), ("fence", "write-storage")],
    "deleter": [("sheepdog", "delete"), ("indexd", "delete"), ("fence", "delete")],
    "uploader": [("fence", "file_upload"), ("indexd", "file_upload")],
    "workspace_user": [("jupyterhub", "access")],
}
ADMINISTRATOR = ("administrator", "/programs")
EVERYBODY = {
    "open_reader": ("reader", "/open"),
    "uploader": ("uploader", "/data_file"),
    "workspace_user": ("workspace_user", "/workspace"),
}


def username(number: int) -> str:
    """Name of one of the users."""
    return f"user{number:05d}@example.org"


def project_paths(resources: int = 2_000) -> list[str]:
    """Paths of the projects of a world with so many resources."""
    count = resources - len(FIXED) - 1 - 2 * PROGRAMS
    return [f"/programs/prog{number % PROGRAMS:02d}/projects/proj{number:04d}" for number in range(count)]


def user_yaml(users: int = 10_000, resources: int = 2_000, policies: int = 500) -> str:
    """The file: so many users, registered resources and policies, with 100 groups and 20 clients.

    ``commonshub user add --admin`` finds its policy ``administrator`` there. A user has one to five policies of his own
    and is in up to two groups; a policy gives one to three roles on one to eight projects or, one in ten, on a whole
    program.
    """
    chance = random.Random(0)
    names = [*EVERYBODY, *(f"policy{number:03d}" for number in range(policies - len(EVERYBODY) - 1))]
    lines = [
        "authz:",
        "  anonymous_policies: [open_reader]",
        "  all_users_policies: [open_reader, uploader, workspace_user]",
        "  resources:",
        *(f"    - {{name: {name}, description: For everybody}}" for name in FIXED),
        *_projects(resources),
        "  roles:",
        *_roles(),
        "  policies:",
        *_policies(names[len(EVERYBODY) :], project_paths(resources), chance),
        "  groups:",
        *_groups(names, users, chance),
        "clients:",
        *(f"  client{number:02d}: {{policies: [{_pick(chance, names, 5)}]}}" for number in range(CLIENTS)),
        "users:",
        *(line for number in range(users) for line in _user(number, names, chance)),
    ]
    return "\n".join(lines) + "\n"


def _pick(chance: random.Random, names: list[str], most: int) -> str:
    return ", ".join(sorted(chance.sample(names, min(len(names), chance.randint(1, most)))))


def _projects(resources: int) -> list[str]:
    paths = project_paths(resources)
    lines = ["    - name: programs", "      subresources:"]
    for program in range(PROGRAMS):
        lines += [f"        - name: prog{program:02d}", "          subresources:", "            - name: projects"]
        names = [path.rsplit("/", 1)[1] for path in paths[program::PROGRAMS]]
        lines += ["              subresources:"] * bool(names)
        lines += [f"                - name: {name}" for name in names]
    return lines


def _roles() -> list[str]:
    lines = []
    for role, actions in ROLES.items():
        lines += [f"    - id: {role}", f"      description: Role {role}", "      permissions:"]
        lines += [
            f"        - {{id: {role}_{number}, action: {{service: '{service}', method: '{method}'}}}}"
            for number, (service, method) in enumerate(actions)
        ]
    return lines


def _policies(names: list[str], projects: list[str], chance: random.Random) -> list[str]:
    given = [
        f"    - {{id: {name}, role_ids: [{role}], resource_paths: [{path}]}}"
        for name, (role, path) in {"administrator": ADMINISTRATOR, **EVERYBODY}.items()
    ]
    roles = [role for role in ROLES if role not in ("administrator", "workspace_user")]
    for number, name in enumerate(names):
        paths = f"/programs/prog{number % PROGRAMS:02d}" if number % 10 == 0 else _pick(chance, projects, 8)
        given += [f"    - id: {name}", f"      description: Policy {number}"]
        given += [f"      role_ids: [{_pick(chance, roles, 3)}]", f"      resource_paths: [{paths}]"]
    return given


def _groups(names: list[str], users: int, chance: random.Random) -> list[str]:
    members: list[list[str]] = [[] for _ in range(GROUPS)]
    for number in range(users):
        for group in chance.sample(range(GROUPS), chance.randint(0, 2)):
            members[group].append(username(number))
    lines = []
    for number, group in enumerate(members):
        lines += [f"    - name: group{number:03d}", f"      policies: [{_pick(chance, names, 4)}]", "      users:"]
        lines += [f"        - {member}" for member in group] or ["        []"]
    return lines


def _user(number: int, names: list[str], chance: random.Random) -> list[str]:
    return [
        f"  {username(number)}:",
        f"    display_name: User {number}",
        *([f"    tags: {{site: s{number % 50}, cohort: c{number % 7}}}"] if number % 3 == 0 else []),
        f"    policies: [{_pick(chance, names, 5)}]",
    ]
