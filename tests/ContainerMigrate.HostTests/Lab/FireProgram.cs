namespace ContainerMigrate.HostTests.Lab;

/// <summary>
/// A program that changes its files at random without end, in every way that there is, and knows what each of them must hold. Whoever connects and sends a line
/// is told whether they do: `NUMBER right`, or what is wrong.
/// </summary>
public static class FireProgram
{
    /// <summary>Python. ROOT is the directory of its files (`/fire`), PORT where it listens (9100).</summary>
    public const string Text = """
        import ctypes, mmap, os, random, select, shutil, socket, stat
        libc = ctypes.CDLL(None, use_errno=True)
        libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]
        root = os.environ.get("ROOT", "/fire")
        os.makedirs(root, exist_ok=True)

        class File:
            def __init__(self, content=b""):
                self.content, self.mode, self.notes, self.names, self.time = bytearray(content), 0o644, {}, set(), None

        files, folders = {}, {root}

        def pick(): return random.choice(sorted(files))
        def fresh(): return random.choice(sorted(folders)) + "/" + random.choice("abcdefghijklmnop") + str(random.randrange(30))
        def note(file, *names):
            for name in names:
                file.names.add(name)
                files[name] = file
            file.time = os.stat(next(iter(file.names))).st_mtime_ns
        def forget(name):
            file = files.pop(name)
            file.names.discard(name)
        def movable(name): return name not in (base, mapped)
        def is_free(name): return name not in files and name not in folders

        def create():
            name, content = fresh(), random.randbytes(random.randrange(20000))
            if name in folders or name in (base, mapped): return
            with open(name + ".new", "wb") as file:
                file.write(content)
                os.fsync(file.fileno())
            os.rename(name + ".new", name)
            if name in files: forget(name)
            os.chmod(name, 0o644)
            note(File(content), name)
        def append():
            name, more = pick(), random.randbytes(random.randrange(5000))
            if name == mapped: return
            with open(name, "ab") as file: file.write(more)
            files[name].content += more
            note(files[name])
        def overwrite():
            name, piece = pick(), random.randbytes(random.randrange(1, 3000))
            if name == mapped: return
            content = files[name].content
            at = random.randrange(len(content) + 1)
            with open(name, "r+b") as file:
                file.seek(at)
                file.write(piece)
            content[at:at + len(piece)] = piece
            note(files[name])
        def into_base():
            content = files[base].content
            at, piece = random.randrange(len(content)), random.randbytes(200)
            os.pwrite(base_fd, piece, at)
            os.fdatasync(base_fd)
            content[at:at + len(piece)] = piece
            note(files[base])
        def store():
            at, value = random.randrange(len(mapping)), random.randrange(256)
            mapping[at] = value
            files[mapped].content[at] = value
        def cut():
            name = pick()
            if name in (base, mapped): return
            size = random.randrange(30000)
            os.truncate(name, size)
            content = files[name].content
            if size < len(content): del content[size:]
            else: content.extend(bytes(size - len(content)))
            note(files[name])
        def punch():
            name = pick()
            content = files[name].content
            if name == mapped or not content: return
            at = random.randrange(len(content))
            length = min(random.randrange(1, 50000), len(content) - at)
            fd = os.open(name, os.O_RDWR)
            if libc.fallocate(fd, 3, at, length) == 0: content[at:at + length] = bytes(length)
            os.close(fd)
            note(files[name])
        def rename():
            name, to = pick(), fresh()
            if not movable(name) or not is_free(to): return
            os.rename(name, to)
            file = files[name]
            forget(name)
            note(file, to)
        def link():
            name, to = pick(), fresh()
            if not movable(name) or not is_free(to): return
            os.link(name, to)
            note(files[name], to)
        def delete():
            name = pick()
            if not movable(name) or len(files) < 60: return
            os.unlink(name)
            forget(name)
        def folder():
            name = fresh()
            if is_free(name) and len(folders) < 12:
                os.mkdir(name)
                folders.add(name)
        def move_folder():
            name, to = random.choice(sorted(folders)), fresh()
            if name == root or not is_free(to) or to.startswith(name + "/"): return
            try: os.rename(name, to)
            except OSError: return
            moved = {n: f for n, f in files.items() if n.startswith(name + "/")}
            for old in moved: forget(old)
            for old, file in moved.items(): note(file, to + old[len(name):])
            for old in [f for f in folders if f == name or f.startswith(name + "/")]:
                folders.discard(old)
                folders.add(to + old[len(name):])
        def remove_folder():
            name = random.choice(sorted(folders))
            if name == root or len(files) < 60: return
            shutil.rmtree(name)
            for old in [n for n in files if n.startswith(name + "/")]: forget(old)
            for old in [f for f in folders if f == name or f.startswith(name + "/")]: folders.discard(old)
        def mode():
            name = pick()
            files[name].mode = random.choice((0o600, 0o644, 0o4755, 0o2640, 0o444))
            os.chmod(name, files[name].mode)
        def attribute():
            name, key = pick(), "user.n" + str(random.randrange(3))
            files[name].notes[key] = random.randbytes(20)
            os.setxattr(name, key, files[name].notes[key])

        def wrong():
            seen, seen_folders = set(), {root}
            for place, inner, names in os.walk(root):
                seen_folders.update(place + "/" + n for n in inner)
                seen.update(place + "/" + n for n in names)
            if seen != set(files): return "files " + str(seen ^ set(files))
            if seen_folders != folders: return "folders " + str(seen_folders ^ folders)
            for file in {id(f): f for f in files.values()}.values():
                facts = [os.stat(n) for n in file.names]
                name = min(file.names)
                if len({f.st_ino for f in facts}) != 1 or facts[0].st_nlink != len(facts): return "links of " + name
                if stat.S_IMODE(facts[0].st_mode) != file.mode: return "mode of " + name
                with open(name, "rb") as open_file:
                    if open_file.read() != file.content: return "content of " + name
                if {k: os.getxattr(name, k) for k in os.listxattr(name)} != file.notes: return "attributes of " + name
                if name != mapped and facts[0].st_mtime_ns != file.time: return "time of " + name
            return None

        base, mapped = root + "/base", root + "/mapped"
        for name, size in ((base, 6 << 20), (mapped, 1 << 20)):
            content = random.randbytes(size)
            with open(name, "wb") as file: file.write(content)
            os.chmod(name, 0o644)
            note(File(content), name)
        base_fd = os.open(base, os.O_RDWR)
        with open(mapped, "r+b") as file: mapping = mmap.mmap(file.fileno(), 0)
        steps = [create, create, create, append, overwrite, overwrite, into_base, store, store, cut, punch, rename, link, delete, folder, folder, move_folder, remove_folder, mode, attribute]
        server = socket.create_server(("", int(os.environ.get("PORT", "9100"))))
        print("listening", flush=True)
        asked, talks = 0, [server]
        while True:
            for talk in select.select(talks, [], [], 0.001)[0]:
                if talk is server: talks.append(server.accept()[0])
                elif talk.recv(100):
                    asked += 1
                    talk.sendall((str(asked) + " " + (wrong() or "right") + "\n").encode())
                else: talks.remove(talk)
            random.choice(steps)()
        """;
}
