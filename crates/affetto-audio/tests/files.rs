//! Encoders against the decoders, and bad input.

use std::io::Cursor;

use affetto_audio::encode::{WavHeader, write_flac_tagged, write_wav_samples, write_wav_tagged};
use affetto_audio::{
    AudioBuffer, AudioError, AudioStream, SampleFormat, Tags, decode_reader, resample, write_flac, write_wav,
};

fn tone(rate: u32, frames: usize) -> AudioBuffer {
    let wave = |hz: f32| {
        (0..frames).map(|i| 0.5 * (std::f32::consts::TAU * hz * i as f32 / rate as f32).sin()).collect::<Vec<_>>()
    };
    AudioBuffer { sample_rate: rate, channels: vec![wave(440.0), wave(660.0)] }
}

fn worst(a: &AudioBuffer, b: &AudioBuffer) -> f32 {
    assert_eq!((a.frames(), a.channels.len(), a.sample_rate), (b.frames(), b.channels.len(), b.sample_rate));
    a.channels.iter().flatten().zip(b.channels.iter().flatten()).fold(0.0, |m, (x, y)| m.max((x - y).abs()))
}

#[test]
fn wav_and_flac_come_back() {
    let audio = tone(44_100, 10_001);
    for (format, tolerance) in
        [(SampleFormat::Pcm16, 1.0 / 32_768.0), (SampleFormat::Pcm24, 1.0 / 8_388_608.0), (SampleFormat::F32, 0.0)]
    {
        let mut bytes = Vec::new();
        write_wav(&mut bytes, &audio, format).unwrap();
        let back = decode_reader(Cursor::new(bytes.clone()), "a.wav", 10.0).unwrap();
        assert!(worst(&audio, &back) <= tolerance, "{format}");
        let mut again = Vec::new();
        write_wav(&mut again, &audio, format).unwrap();
        assert_eq!(bytes, again);
        if format != SampleFormat::F32 {
            let mut bytes = Vec::new();
            write_flac(&mut bytes, &audio, format).unwrap();
            let back = decode_reader(Cursor::new(bytes), "a.flac", 10.0).unwrap();
            assert!(worst(&audio, &back) <= tolerance, "flac {format}");
        }
    }
    let refused = write_flac(&mut Vec::new(), &audio, SampleFormat::F32).unwrap_err();
    assert!(refused.to_string().contains("FLAC cannot hold 32-bit floats"), "{refused}");
}

#[test]
fn tags_follow_the_samples_and_change_none() {
    let audio = AudioBuffer { channels: vec![tone(8000, 333).channels.remove(0)], sample_rate: 8000 };
    for comment in ["odd", "even"] {
        let tags = Tags { software: "affetto".into(), copyright: "CC-BY-NC 4.0".into(), comment: comment.into() };
        let (mut plain, mut wav, mut flac) = (Vec::new(), Vec::new(), Vec::new());
        write_wav(&mut plain, &audio, SampleFormat::Pcm24).unwrap();
        write_wav_tagged(&mut wav, &audio, SampleFormat::Pcm24, &tags).unwrap();
        assert_eq!(wav[8..plain.len()], plain[8..], "the tags come after the samples");
        assert_eq!(u32::from_le_bytes(wav[4..8].try_into().unwrap()) as usize, wav.len() - 8);
        assert!(wav.len() % 2 == 0 && wav[plain.len()..].starts_with(b"LIST"));
        write_flac_tagged(&mut flac, &audio, SampleFormat::Pcm24, &tags).unwrap();
        for (bytes, name) in [(wav, "a.wav"), (flac, "a.flac")] {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            assert!(text.contains("CC-BY-NC 4.0") && text.contains(comment), "{name}");
            let back = decode_reader(Cursor::new(bytes), name, 10.0).unwrap();
            assert!(worst(&audio, &back) <= 1.0 / 8_388_608.0, "{name}");
        }
    }
}

#[test]
fn a_streamed_wav_is_readable() {
    let audio = tone(8000, 4000);
    let mut bytes = Vec::new();
    WavHeader { sample_rate: 8000, channels: 2, format: SampleFormat::Pcm16, frames: None, trailing: 0 }
        .write(&mut bytes)
        .unwrap();
    write_wav_samples(&mut bytes, &audio, SampleFormat::Pcm16).unwrap();
    let back = decode_reader(Cursor::new(bytes), "-", 10.0).unwrap();
    assert!(worst(&audio, &back) <= 1.0 / 32_768.0);
}

#[test]
fn a_long_wav_is_refused_by_its_head() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.wav");
    let header =
        |frames| WavHeader { sample_rate: 8000, channels: 2, format: SampleFormat::Pcm16, frames, trailing: 0 };
    let mut bytes = Vec::new();
    header(Some(8000 * 60)).write(&mut bytes).unwrap();
    std::fs::write(&path, &bytes).unwrap();
    assert!(affetto_audio::decode::check_length(&path, 10.0).is_ok(), "cut short: there are no samples");
    std::fs::File::options().append(true).open(&path).unwrap().set_len(44 + 8000 * 60 * 4).unwrap();
    assert!(matches!(affetto_audio::decode::check_length(&path, 10.0), Err(AudioError::TooLong { .. })));
    assert!(affetto_audio::decode::check_length(&path, 60.0).is_ok());
    std::fs::write(&path, b"RIFF0000WAVEfmt ").unwrap();
    assert!(affetto_audio::decode::check_length(&path, 10.0).is_ok(), "the decoder will say what is wrong");
    assert!(affetto_audio::decode::check_length(folder.path().join("none"), 10.0).is_err());
}

#[test]
fn bad_files_are_errors_not_panics() {
    assert!(matches!(decode_reader(Cursor::new(vec![]), "x.wav", 1.0), Err(AudioError::Decode { .. })));
    assert!(decode_reader(Cursor::new(vec![7u8; 5000]), "x.mp3", 1.0).is_err());
    let audio = tone(8000, 16_000);
    assert!(
        write_wav(&mut Vec::new(), &AudioBuffer { sample_rate: 8000, channels: vec![] }, SampleFormat::F32).is_err()
    );
    for flac in [false, true] {
        let mut bytes = Vec::new();
        if flac {
            write_flac(&mut bytes, &audio, SampleFormat::Pcm16).unwrap();
        } else {
            write_wav(&mut bytes, &audio, SampleFormat::Pcm16).unwrap();
        }
        assert!(matches!(decode_reader(Cursor::new(bytes.clone()), "x", 1.0), Err(AudioError::TooLong { .. })));
        // Cuts and flipped bytes: any answer, but an answer.
        let mut state = 7u64;
        for _ in 0..300 {
            let mut random = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) as usize
            };
            let mut mutated = bytes[..random() % bytes.len()].to_vec();
            for _ in 0..random() % 8 {
                let reach = if random() % 2 == 0 { 64 } else { mutated.len() };
                if let Some(byte) = mutated.get_mut(random() % reach.max(1)) {
                    *byte = random() as u8;
                }
            }
            let _ = decode_reader(Cursor::new(mutated), "x", 100.0);
        }
    }
}

#[test]
fn resampling_keeps_pitch_length_and_place() {
    let audio = tone(44_100, 44_100);
    for (to, length) in [(16_000u32, 16_000usize), (48_000, 48_000), (22_050, 22_050), (11_025, 11_025)] {
        let out = resample(&audio.channels[0], 44_100, to).unwrap();
        assert_eq!(out.len(), length);
        let error = (1000..length - 1000)
            .map(|i| (out[i] - 0.5 * (std::f32::consts::TAU * 440.0 * i as f32 / to as f32).sin()).abs())
            .fold(0.0, f32::max);
        assert!(error < 2e-3, "{to}: {error}");
    }
    assert_eq!(resample(&[0.0; 3], 44_100, 16_000).unwrap().len(), 1);
    assert!(resample(&[0.0; 3], 0, 16_000).is_err());
    assert!(resample(&[0.0; 3], 1, 32_000).is_err(), "a ratio that would cost gigabytes");
    assert!(resample(&[], 8000, 16_000).unwrap().is_empty());
}

#[test]
fn a_stream_gives_the_sound_in_blocks_and_ends() {
    let folder = std::env::temp_dir().join(format!("affetto-stream-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let wave = |i: usize| (i as f32 * 0.01).sin() * 0.5;
    let audio =
        AudioBuffer { sample_rate: 8000, channels: vec![(0..100_000).map(wave).collect(), vec![0.25; 100_000]] };
    let (wav, flac) = (folder.join("a.wav"), folder.join("a.flac"));
    write_wav(std::fs::File::create(&wav).unwrap(), &audio, SampleFormat::F32).unwrap();
    write_flac(std::fs::File::create(&flac).unwrap(), &audio, SampleFormat::Pcm24).unwrap();
    for path in [&wav, &flac] {
        let mut stream = AudioStream::open(path).unwrap();
        let (mut frames, mut blocks) = (0, 0);
        while let Some(block) = stream.next_block().unwrap() {
            assert_eq!((block.sample_rate, block.channels.len()), (8000, 2));
            let middle = block.frames() / 2;
            assert!((block.channels[0][middle] - wave(frames + middle)).abs() < 1e-6);
            frames += block.frames();
            blocks += 1;
        }
        assert_eq!(frames, 100_000);
        assert!(blocks > 2, "{blocks} blocks");
        assert!(stream.next_block().unwrap().is_none(), "the end stays the end");
    }
    assert!(matches!(AudioStream::open(&folder), Err(AudioError::Open { .. })), "a folder");
    std::fs::remove_dir_all(&folder).unwrap();
}
