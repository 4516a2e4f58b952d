/* The floor: what the kernel takes for one test's sandbox, with nothing of Python in it.
 *
 *     floor [-n COUNT] [-b EXTRA_BINDS] [-s PAUSE_US] [-i] PROJECT
 *
 * A small process makes, one after the other, COUNT containers as the plugin does: the root tree is built
 * once and copied; each container gets fresh user (two, nested, so that its masks are locked), pid, mount,
 * uts, ipc and cgroup namespaces, with -i a network namespace whose "lo" is up too, its own /proc, tmpfs
 * mounts, devpts, an overlay of PROJECT, the masks and the read-only paths, and is pivoted into. Under its
 * PID 1, which does nothing else, a forked process calls an empty function. The time of one, in
 * microseconds, from before it is made until its last process is reaped and PID 1 has ended, is printed, a
 * line each. PAUSE_US microseconds are waited in between.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef MOVE_MOUNT_F_EMPTY_PATH
#define MOVE_MOUNT_F_EMPTY_PATH 4
#endif
/* Of linux/mount.h, which cannot be included together with sys/mount.h everywhere. */
struct attributes {
    uint64_t set, clear, propagation, userns_fd;
};
#define ATTRIBUTE_READONLY 1

#define BASE "/mnt"
#define VIEW_FLAGS (MS_NOSUID | MS_NODEV)

static int extra_binds, with_network;
static char project[4096];

static void fail(const char *what) {
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    _exit(1);
}

static void check(long result, const char *what) {
    if (result < 0)
        fail(what);
}

static void make_directory(const char *path) {
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        fail(path);
}

static void make_directories(const char *path) {
    char copy[8192];
    snprintf(copy, sizeof copy, "%s", path);
    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        make_directory(copy);
        *slash = '/';
    }
    make_directory(copy);
}

static void write_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    check(fd, path);
    check(write(fd, text, strlen(text)), path);
    close(fd);
}

/* In a user namespace of its own a process may map its own id, to root. */
static void map_own_id(unsigned uid, unsigned gid) {
    char text[64];
    write_file("/proc/self/setgroups", "deny");
    snprintf(text, sizeof text, "0 %u 1", uid);
    write_file("/proc/self/uid_map", text);
    snprintf(text, sizeof text, "0 %u 1", gid);
    write_file("/proc/self/gid_map", text);
}

static void bind_readonly(const char *source, const char *target) {
    int fd = syscall(SYS_open_tree, AT_FDCWD, source, OPEN_TREE_CLONE | O_CLOEXEC | AT_RECURSIVE);
    check(fd, source);
    struct attributes readonly = {.set = ATTRIBUTE_READONLY};
    check(syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &readonly, sizeof readonly), source);
    check(syscall(SYS_move_mount, fd, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH), target);
    close(fd);
}

static void pivot_here(void) {
    check(syscall(SYS_pivot_root, ".", "."), "pivot_root");
    check(umount2(".", MNT_DETACH), "umount2");
    check(chdir("/"), "chdir");
}

static const char *const system_directories[] = {"usr", "bin", "sbin", "lib", "lib64", "opt", "etc", "sys"};
static const char *const devices[] = {"null", "zero", "full", "random", "urandom", "tty"};
static const char *const own[] = {"root", "run", "tmp", "dev/shm", "var/tmp"};

/* Built once: what all containers have in common, at /tree of a root that has the host's /proc, too. */
static void build_tree(void) {
    char target[8192], source[4096];
    check(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "make / private");
    check(mount("tmpfs", BASE, "tmpfs", VIEW_FLAGS, "mode=0755"), "mount the view");
    static const char *const directories[] = {"/tree/proc",    "/tree/dev/pts", "/tree/dev/shm", "/tree/root",
                                              "/tree/run",     "/tree/tmp",     "/tree/var/tmp", "/new",
                                              "/proc",         "/layers",       "/lower",        "/empty"};
    for (unsigned i = 0; i < sizeof directories / sizeof *directories; i++) {
        snprintf(target, sizeof target, BASE "%s", directories[i]);
        make_directories(target);
    }
    check(mount(BASE "/tree", BASE "/tree", NULL, MS_BIND, NULL), "bind the tree on itself");
    for (unsigned i = 0; i < sizeof system_directories / sizeof *system_directories; i++) {
        struct stat found;
        snprintf(source, sizeof source, "/%s", system_directories[i]);
        snprintf(target, sizeof target, BASE "/tree%s", source);
        if (lstat(source, &found) < 0)
            continue;
        if (S_ISLNK(found.st_mode)) {
            char link[4096] = {0};
            check(readlink(source, link, sizeof link - 1), source);
            check(symlink(link, target), target);
            continue;
        }
        make_directories(target);
        bind_readonly(source, target);
    }
    for (unsigned i = 0; i < sizeof devices / sizeof *devices; i++) {
        snprintf(source, sizeof source, "/dev/%s", devices[i]);
        snprintf(target, sizeof target, BASE "/tree%s", source);
        close(open(target, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
        check(mount(source, target, NULL, MS_BIND, NULL), target);
    }
    close(open(BASE "/null", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    check(mount("/dev/null", BASE "/null", NULL, MS_BIND, NULL), "bind null");
    for (int i = 0; i < extra_binds; i++) {
        snprintf(target, sizeof target, BASE "/tree/extra/%d", i);
        make_directories(target);
        bind_readonly("/usr/share", target);
    }
    check(mount("/proc", BASE "/proc", NULL, MS_BIND | MS_REC, NULL), "bind /proc");
    check(mount(project, BASE "/lower", NULL, MS_BIND, NULL), "bind the project");
    check(chdir(BASE), "chdir");
    pivot_here();
}

static const char *const masked[] = {"proc/acpi",       "proc/asound",      "proc/kcore",       "proc/keys",
                                     "proc/latency_stats", "proc/timer_list", "proc/timer_stats", "proc/sched_debug",
                                     "proc/scsi",       "sys/firmware"};
static const char *const readonly_paths[] = {"proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger"};

static void mask(void) {
    char target[256];
    for (unsigned i = 0; i < sizeof masked / sizeof *masked; i++) {
        snprintf(target, sizeof target, "/new/%s", masked[i]);
        if (mount("/null", target, NULL, MS_BIND, NULL) < 0) {
            if (errno == ENOTDIR)
                check(mount("/empty", target, NULL, MS_BIND, NULL), target);
            else if (errno != ENOENT)
                fail(target);
        }
    }
    for (unsigned i = 0; i < sizeof readonly_paths / sizeof *readonly_paths; i++) {
        snprintf(target, sizeof target, "/new/%s", readonly_paths[i]);
        if (access(target, F_OK) == 0)
            bind_readonly(target, target);
    }
}

static void build_container(void) {
    char target[8192];
    int fd = syscall(SYS_open_tree, AT_FDCWD, "/tree", OPEN_TREE_CLONE | O_CLOEXEC | AT_RECURSIVE);
    check(fd, "open_tree");
    check(syscall(SYS_move_mount, fd, "", AT_FDCWD, "/new", MOVE_MOUNT_F_EMPTY_PATH), "move_mount");
    close(fd);
    check(mount("tmpfs", "/layers", "tmpfs", VIEW_FLAGS, "mode=0755"), "mount layers");
    check(mount("proc", "/new/proc", "proc", VIEW_FLAGS | MS_NOEXEC, NULL), "mount proc");
    for (unsigned i = 0; i < sizeof own / sizeof *own; i++) {
        snprintf(target, sizeof target, "/new/%s", own[i]);
        check(mount("tmpfs", target, "tmpfs", VIEW_FLAGS, "mode=1777,size=25%"), target);
    }
    check(mount("devpts", "/new/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620"),
          "mount devpts");
    make_directory("/layers/upper");
    make_directory("/layers/work");
    snprintf(target, sizeof target, "/new%s", project);
    make_directories(target);
    check(mount("overlay", target, "overlay", VIEW_FLAGS,
                "lowerdir=/lower,upperdir=/layers/upper,workdir=/layers/work,userxattr"),
          "mount overlay");
    mask();
    struct attributes readonly = {.set = ATTRIBUTE_READONLY};
    check(syscall(SYS_mount_setattr, AT_FDCWD, "/new", 0, &readonly, sizeof readonly), "make / read-only");
    check(chdir("/new"), "chdir");
    pivot_here();
}

static void bring_up_loopback(void) {
    struct ifreq request = {.ifr_name = "lo"};
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    check(control, "socket");
    check(ioctl(control, SIOCSIFFLAGS, &request), "bring up lo");
    close(control);
}

static volatile int called;

static void empty_function(void) { called++; }

/* PID 1 of a container. */
static void contain(void) {
    build_container();
    /* The innermost namespaces: the masks that were mounted outside of them are locked in there. */
    int flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC;
    check(unshare(flags | (with_network ? CLONE_NEWNET : 0)), "unshare");
    map_own_id(0, 0);
    check(sethostname("floor", 5), "sethostname");
    if (with_network)
        bring_up_loopback();
    pid_t test = fork();
    check(test, "fork");
    if (test == 0) {
        setsid();
        empty_function();
        _exit(0);
    }
    int status;
    check(waitpid(test, &status, 0), "waitpid");
    _exit(status != 0);
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000ull + time.tv_nsec;
}

int main(int argc, char **argv) {
    int count = 100, pause_us = 0, option;
    while ((option = getopt(argc, argv, "n:b:s:i")) != -1) {
        if (option == 'n')
            count = atoi(optarg);
        else if (option == 'b')
            extra_binds = atoi(optarg);
        else if (option == 's')
            pause_us = atoi(optarg);
        else if (option == 'i')
            with_network = 1;
        else
            return 2;
    }
    if (optind + 1 != argc || !realpath(argv[optind], project)) {
        fprintf(stderr, "usage: floor [-n COUNT] [-b EXTRA_BINDS] [-s PAUSE_US] [-i] PROJECT\n");
        return 2;
    }
    unsigned uid = geteuid(), gid = getegid();
    check(unshare(CLONE_NEWUSER | CLONE_NEWNS), "unshare");
    map_own_id(uid, gid);
    build_tree();
    for (int i = 0; i < count; i++) {
        uint64_t before = now();
        long flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWCGROUP | SIGCHLD;
        pid_t init = syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);
        check(init, "clone");
        if (init == 0)
            contain();
        int status;
        check(waitpid(init, &status, 0), "waitpid");
        if (status != 0) {
            fprintf(stderr, "floor: a container ended with status %#x\n", status);
            return 1;
        }
        printf("%.1f\n", (now() - before) / 1e3);
        if (pause_us)
            usleep(pause_us);
    }
    return 0;
}
