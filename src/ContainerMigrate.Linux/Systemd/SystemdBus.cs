using System.ComponentModel;
using System.Runtime.InteropServices;

namespace ContainerMigrate.Linux.Systemd;

/// <summary>A connection to the system's message bus (sd-bus(3)), for one thread.</summary>
internal sealed partial class SystemdBus : IDisposable
{
    private const string Library = "libsystemd.so.0";
    private const ulong TimeoutMicroseconds = 10_000_000;

    private readonly nint _bus;

    private SystemdBus(nint bus) => _bus = bus;

    /// <exception cref="Win32Exception">There is no bus.</exception>
    /// <exception cref="DllNotFoundException">There is no libsystemd.</exception>
    public static SystemdBus OpenSystem()
    {
        Check("the system's bus", OpenSystem(out var bus));
        return new SystemdBus(bus);
    }

    public Message NewCall(string destination, string path, string iface, string member)
    {
        Check(member, NewMethodCall(_bus, out var message, destination, path, iface, member));
        return new Message(message);
    }

    /// <summary>Sends it and waits for the answer.</summary>
    /// <exception cref="Win32Exception">It was refused, or nobody answered in time.</exception>
    public void Call(Message call) => Check("systemd", Call(_bus, call.Pointer, TimeoutMicroseconds, 0, 0));

    /// <inheritdoc/>
    public void Dispose() => FlushCloseUnref(_bus);

    private static void Check(string what, int result)
    {
        if (result < 0)
        {
            throw new Win32Exception(-result, $"{what}: {Marshal.GetPInvokeErrorMessage(-result)}");
        }
    }

    [LibraryImport(Library, EntryPoint = "sd_bus_open_system")]
    private static partial int OpenSystem(out nint bus);

    [LibraryImport(Library, EntryPoint = "sd_bus_flush_close_unref")]
    private static partial nint FlushCloseUnref(nint bus);

    [LibraryImport(Library, EntryPoint = "sd_bus_message_new_method_call", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int NewMethodCall(nint bus, out nint message, string destination, string path, string iface, string member);

    [LibraryImport(Library, EntryPoint = "sd_bus_call")]
    private static partial int Call(nint bus, nint message, ulong microseconds, nint error, nint reply);

    [LibraryImport(Library, EntryPoint = "sd_bus_message_unref")]
    private static partial nint Unref(nint message);

    [LibraryImport(Library, EntryPoint = "sd_bus_message_append_basic", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int AppendString(nint message, byte type, string value);

    [LibraryImport(Library, EntryPoint = "sd_bus_message_append_basic")]
    private static partial int AppendNumber(nint message, byte type, in uint value);

    [LibraryImport(Library, EntryPoint = "sd_bus_message_open_container", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenContainer(nint message, byte type, string contents);

    [LibraryImport(Library, EntryPoint = "sd_bus_message_close_container")]
    private static partial int CloseContainer(nint message);

    /// <summary>A method call that is being written.</summary>
    internal sealed class Message(nint pointer) : IDisposable
    {
        public nint Pointer => pointer;

        public void Append(string value) => Check("writing a message", AppendString(pointer, (byte)'s', value));

        public void Append(uint value) => Check("writing a message", AppendNumber(pointer, (byte)'u', value));

        /// <param name="contents">Type of the elements, as in the D-Bus specification.</param>
        public void InArray(string contents, Action write) => In('a', contents, write);

        /// <summary>One element of <c>a(sv)</c>.</summary>
        public void Property(string name, string type, Action write) => In('r', "sv", () =>
        {
            Append(name);
            In('v', type, write);
        });

        /// <inheritdoc/>
        public void Dispose() => Unref(pointer);

        private void In(char container, string contents, Action write)
        {
            Check("writing a message", OpenContainer(pointer, (byte)container, contents));
            write();
            Check("writing a message", CloseContainer(pointer));
        }
    }
}
