// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first and only process of the recording machine: loads the modules, plays the cases of
 * /script, writes the results to the second serial port and switches the machine off.
 *
 * Lines about the machine and its ops go to /dev/iommucheck unchanged; containers are VFIO's own. A
 * child plays each case: the core may oops, and then the machine is unusable.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define MAX_GROUPS 64
#define MAX_CONTAINERS 4

static FILE *out;
static int module;
static int kmsg;
static int group_fd[MAX_GROUPS];  // open while the group is in a container, otherwise -1
static int container_fd[MAX_CONTAINERS];

static void die(const char *what) {
  fprintf(out ? out : stderr, "failed %s: %s\n", what, strerror(errno));
  if (out) fflush(out);
  sync();
  reboot(RB_POWER_OFF);
  _exit(1);
}

// Sends one command to the module. Returns 0 or a negative errno.
static int tell(const char *format, ...) {
  char line[128];
  va_list args;
  va_start(args, format);
  const int length = vsnprintf(line, sizeof(line), format, args);
  va_end(args);
  return write(module, line, length) < 0 ? -errno : 0;
}

static void copy_notes(void) {
  static char text[1 << 16];
  const ssize_t length = read(module, text, sizeof(text));
  if (length < 0) die("reading /dev/iommucheck");
  fwrite(text, 1, length, out);
}

// --- containers ---

static int open_group(int group) {
  char path[32];
  tell("bind %d", group);
  snprintf(path, sizeof(path), "/dev/vfio/%d", group);
  const int fd = open(path, O_RDWR);
  if (fd >= 0) return fd;
  const int error = -errno;
  tell("unbind %d", group);
  return error;
}

static void close_group(int group, int fd) {
  close(fd);
  group_fd[group] = -1;
  tell("unbind %d", group);
}

static int container(int c) {
  if (container_fd[c] < 0) container_fd[c] = open("/dev/vfio/vfio", O_RDWR);
  if (container_fd[c] < 0) die("opening /dev/vfio/vfio");
  return container_fd[c];
}

// The ioctl on the group's file, which stays open exactly while the group is in a container.
static int group_ioctl(int group, unsigned long request, int file) {
  const int was_in = group_fd[group] >= 0;
  const int fd = was_in ? group_fd[group] : open_group(group);
  if (fd < 0) return fd;
  const int error = ioctl(fd, request, &file) < 0 ? -errno : 0;
  const int is_in = error == 0 ? request == VFIO_GROUP_SET_CONTAINER : was_in;
  if (is_in)
    group_fd[group] = fd;
  else
    close_group(group, fd);
  return error;
}

// A group whose last device is gone is no longer VFIO's, even if its file is open.
static void drop_dead_groups(void) {
  for (int g = 0; g < MAX_GROUPS; ++g) {
    struct vfio_group_status status = {.argsz = sizeof(status)};
    if (group_fd[g] >= 0 && ioctl(group_fd[g], VFIO_GROUP_GET_STATUS, &status) < 0)
      close_group(g, group_fd[g]);
  }
}

// --- the kernel's log ---

// Reads the next record. Returns 0 if there is none yet.
static int next_record(int fd, char record[8192]) {
  ssize_t length;
  // EPIPE: records were overwritten before they were read.
  do length = read(fd, record, 8191);
  while (length < 0 && errno == EPIPE);
  if (length <= 0) return 0;
  record[length] = 0;
  return 1;
}

// Prints the function of each WARN, and of an oops, since the last call. Without `to` it only skips
// them.
static void drain_log(FILE *to) {
  static char record[8192];
  int oops = 0;  // 1: one has begun, 2: its function is printed
  while (next_record(kmsg, record)) {
    char function[64] = "?";
    if (!to) continue;
    const char *text = strstr(record, "WARNING: CPU:");
    // The name stops at a '.', which begins the suffix of an inlined or specialised part.
    if (text && (text = strstr(text, " at "))) {
      sscanf(text, " at %*s %63[^+. ]", function);
      fprintf(to, "warn %s\n", function);
    }
    if (oops == 0) oops = strstr(record, "Oops: ") != NULL;
    // A WARN has such a line, too, and an oops has a second one at its end.
    if (oops == 1 && (text = strstr(record, "RIP: 0010:"))) {
      sscanf(text, "RIP: 0010:%63[^+. ]", function);
      fprintf(to, "rip %s\n", function);
      oops = 2;
    }
  }
}

// Whether the current case has oopsed. Its child may then wait for a lock that it holds itself, and
// never exit.
static int has_oopsed(void) {
  static char record[8192];
  int found = 0;
  const int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
  if (fd < 0) die("/dev/kmsg");
  while (next_record(fd, record)) found |= strstr(record, "Oops: ") != NULL;
  close(fd);
  return found;
}

static void warn_once_again(void) {
  const int fd = open("/sys/kernel/debug/clear_warn_once", O_WRONLY);
  if (fd < 0 || write(fd, "1", 1) != 1) die("clearing warn_once");
  close(fd);
}

// --- cases ---

// Plays an op. Returns its errno.
static int play_op(const char *line) {
  int a = 0;
  int b = 0;
  if (sscanf(line, "set-container %d %d", &a, &b) == 2 && a >= 0 && a < MAX_GROUPS && b >= 0 &&
      b < MAX_CONTAINERS)
    return group_ioctl(a, VFIO_GROUP_SET_CONTAINER, container(b));
  if (sscanf(line, "unset-container %d", &a) == 1 && a >= 0 && a < MAX_GROUPS)
    return group_ioctl(a, VFIO_GROUP_UNSET_CONTAINER, -1);
  if (sscanf(line, "set-iommu %d", &a) == 1 && a >= 0 && a < MAX_CONTAINERS)
    return ioctl(container(a), VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) < 0 ? -errno : 0;
  return tell("%s", line);
}

static void play_case(FILE *script) {
  char line[128];
  for (int g = 0; g < MAX_GROUPS; ++g) group_fd[g] = -1;
  for (int c = 0; c < MAX_CONTAINERS; ++c) container_fd[c] = -1;
  warn_once_again();
  drain_log(NULL);
  while (fgets(line, sizeof(line), script)) {
    line[strcspn(line, "\n")] = 0;
    if (strncmp(line, "op ", 3) != 0) {
      if (tell("%s", line) != 0) die(line);
      if (strcmp(line, "end") == 0) break;
      continue;
    }
    fprintf(out, "%s\n", line);
    fflush(out);
    fprintf(out, "result %d\n", play_op(line + 3));
    if (tell("settle") != 0) die("settle");
    copy_notes();
    drop_dead_groups();
    fflush(out);
  }
  copy_notes();
  drain_log(out);
  for (int g = 0; g < MAX_GROUPS; ++g)
    if (group_fd[g] >= 0) close(group_fd[g]);
  for (int c = 0; c < MAX_CONTAINERS; ++c)
    if (container_fd[c] >= 0) close(container_fd[c]);
  if (tell("reset") != 0) die("reset");
  fprintf(out, "end\n");
  fflush(out);
}

// Whether groups of the case are left: the next case would number its groups differently.
static int is_dirty(void) {
  struct stat status;
  // The folder of groups has two links, and one for each group.
  return stat("/sys/kernel/iommu_groups", &status) == 0 && status.st_nlink != 2;
}

static void on_alarm(int number) { (void)number; }

// False: the case oopsed, and nobody will release the locks that it held. If a child neither oopses
// nor exits, this waits until record.sh times out.
static int came_to_its_end(pid_t child) {
  int status = 0;
  alarm(1);
  while (waitpid(child, &status, 0) < 0) {
    if (has_oopsed()) return 0;
    alarm(1);
  }
  alarm(0);
  return WIFEXITED(status);
}

static void load(const char *name, const char *options) {
  char path[192];
  snprintf(path, sizeof(path), "/modules/%s", name);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || syscall(SYS_finit_module, fd, options, 0) != 0) die(path);
  close(fd);
}

static void load_all(void) {
  char line[128];
  FILE *list = fopen("/modules/list", "r");
  if (!list) die("/modules/list");
  while (fgets(line, sizeof(line), list)) {
    line[strcspn(line, "\n")] = 0;
    char *options = strchr(line, ' ');
    if (options) *options++ = 0;
    load(line, options ? options : "");
  }
  fclose(list);
}

static void set_up(void) {
  mkdir("/dev", 0755);
  mkdir("/sys", 0755);
  if (mount("dev", "/dev", "devtmpfs", 0, NULL) != 0 && errno != EBUSY) die("/dev");
  const int tty = open("/dev/ttyS1", O_WRONLY | O_NOCTTY);
  struct termios raw;
  if (tty < 0 || tcgetattr(tty, &raw) != 0) die("/dev/ttyS1");
  cfmakeraw(&raw);
  if (tcsetattr(tty, TCSANOW, &raw) != 0) die("/dev/ttyS1");
  out = fdopen(tty, "w");
  if (mount("sys", "/sys", "sysfs", 0, NULL) != 0) die("/sys");
  if (mount("debug", "/sys/kernel/debug", "debugfs", 0, NULL) != 0) die("debugfs");
  load_all();
  module = open("/dev/iommucheck", O_RDWR);
  if (module < 0) die("/dev/iommucheck");
  kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
  if (kmsg < 0) die("/dev/kmsg");
}

int main(void) {
  set_up();
  // Without SA_RESTART, so that an alarm ends a wait.
  const struct sigaction alarmed = {.sa_handler = on_alarm};
  sigaction(SIGALRM, &alarmed, NULL);
  FILE *script = fopen("/script", "r");
  if (!script) die("/script");
  char line[128];
  while (fgets(line, sizeof(line), script)) {
    if (strncmp(line, "case ", 5) != 0) continue;
    fputs(line, out);
    fflush(out);
    const long at = ftell(script);
    const pid_t child = fork();
    if (child < 0) die("fork");
    if (child == 0) {
      // A separate stream: the child would share the parent's file offset.
      FILE *own = fopen("/script", "r");
      if (!own || fseek(own, at, SEEK_SET) != 0) die("/script");
      play_case(own);
      _exit(0);
    }
    if (!came_to_its_end(child)) {
      copy_notes();
      drain_log(out);
      fprintf(out, "oops\nstop\n");
      break;
    }
    if (is_dirty()) {
      fprintf(out, "stop\n");
      break;
    }
  }
  const int done = feof(script);
  if (done) fprintf(out, "done\n");
  fflush(out);
  tcdrain(fileno(out));
  // If an oops holds locks, only a panic can end the machine: returning from the first process
  // panics.
  if (done) reboot(RB_POWER_OFF);
  return 0;
}
