//! MIDI files as tracks of timed notes: what the corpus readers need and a plain score lacks.

use std::collections::HashMap;

use affetto_score::score::TICKS_PER_QUARTER;
use affetto_score::{Key, KeyChange, MeterChange, Mode, TempoChange};
use midly::{MetaMessage, MidiMessage, Timing, TrackEventKind};

/// A note of a track, times in ticks of 480 a quarter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawNote {
    /// Start.
    pub onset: u32,
    /// Length, at least 1.
    pub duration: u32,
    /// Key number.
    pub pitch: u8,
    /// Velocity.
    pub velocity: u8,
    /// MIDI channel, 0–15.
    pub channel: u8,
    /// Program in force on the channel.
    pub program: u8,
}

/// A track: its name and notes by onset.
#[derive(Clone, Debug, Default)]
pub struct RawTrack {
    /// Track name, or empty.
    pub name: String,
    /// Notes, by onset.
    pub notes: Vec<RawNote>,
}

/// A MIDI file.
#[derive(Clone, Debug, Default)]
pub struct RawMidi {
    /// Tracks in file order.
    pub tracks: Vec<RawTrack>,
    /// Tempo changes, as written.
    pub tempos: Vec<TempoChange>,
    /// Time signatures, as written.
    pub meters: Vec<MeterChange>,
    /// Key signatures, as written.
    pub keys: Vec<KeyChange>,
}

/// Reads a MIDI file; `None` where it is not one or counts time in frames.
pub fn read(bytes: &[u8]) -> Option<RawMidi> {
    let smf = midly::Smf::parse(bytes).ok()?;
    let Timing::Metrical(per_quarter) = smf.header.timing else { return None };
    let per_quarter = u64::from(per_quarter.as_int()).max(1);
    let ticks = |t: u64| ((t * u64::from(TICKS_PER_QUARTER) + per_quarter / 2) / per_quarter).min(1 << 30) as u32;
    let mut midi = RawMidi::default();
    for events in &smf.tracks {
        let mut track = RawTrack::default();
        let mut sounding: HashMap<(u8, u8), Vec<(u32, u8)>> = HashMap::new();
        let mut programs = [0u8; 16];
        let mut at = 0u64;
        for event in events {
            at += u64::from(event.delta.as_int());
            let tick = ticks(at);
            match event.kind {
                TrackEventKind::Meta(MetaMessage::TrackName(name)) => {
                    track.name = String::from_utf8_lossy(name).trim().to_owned();
                }
                TrackEventKind::Meta(MetaMessage::Tempo(micros)) => {
                    let bpm = 60e6 / f64::from(micros.as_int().max(1));
                    midi.tempos.push(TempoChange { tick, bpm });
                }
                TrackEventKind::Meta(MetaMessage::TimeSignature(numerator, power, ..))
                    if numerator > 0 && power < 7 =>
                {
                    midi.meters.push(MeterChange { tick, numerator, denominator: 1 << power });
                }
                TrackEventKind::Meta(MetaMessage::KeySignature(fifths, minor)) => {
                    midi.keys.push(KeyChange { tick, key: key_of(fifths, minor) });
                }
                TrackEventKind::Midi { channel, message } => {
                    let channel = channel.as_int();
                    match message {
                        MidiMessage::ProgramChange { program } => programs[usize::from(channel)] = program.as_int(),
                        MidiMessage::NoteOn { key, vel } if vel.as_int() > 0 => {
                            sounding.entry((channel, key.as_int())).or_default().push((tick, vel.as_int()));
                        }
                        MidiMessage::NoteOn { key, .. } | MidiMessage::NoteOff { key, .. } => {
                            let Some(open) = sounding.get_mut(&(channel, key.as_int())) else { continue };
                            if open.is_empty() {
                                continue;
                            }
                            let (onset, velocity) = open.remove(0);
                            let duration = (tick - onset).max(1);
                            let program = programs[usize::from(channel)];
                            let pitch = key.as_int();
                            track.notes.push(RawNote { onset, duration, pitch, velocity, channel, program });
                        }
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        track.notes.sort_by_key(|n| (n.onset, n.pitch));
        midi.tracks.push(track);
    }
    midi.tempos.sort_by_key(|t| t.tick);
    midi.meters.sort_by_key(|m| m.tick);
    midi.keys.sort_by_key(|k| k.tick);
    Some(midi)
}

/// The key of a signature of `fifths` sharps (negative: flats).
pub fn key_of(fifths: i8, minor: bool) -> Key {
    let tonic = (i32::from(fifths) * 7 + if minor { 9 } else { 0 }).rem_euclid(12) as u8;
    Key { tonic, mode: if minor { Mode::Minor } else { Mode::Major } }
}
